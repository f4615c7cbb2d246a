"""Runs a command on a terminal of its own, and types each line once what it waits for is shown.

Arguments: a JSON list of [text to wait for, what to type], then the command. Prints what was shown.
"""
import json
import os
import pty
import sys

dialogue = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
seen = 0
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk
    while dialogue and dialogue[0][0].encode() in shown[seen:]:
        wanted, typed = dialogue.pop(0)
        seen = shown.index(wanted.encode(), seen) + len(wanted)
        os.write(terminal, typed.encode())
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
