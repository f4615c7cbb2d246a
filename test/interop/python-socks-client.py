"""Sends stdin through a proxy by python-socks, and writes what comes back to stdout.

usage: python-socks-client.py SCHEME RDNS PROXY HOST PORT
SCHEME: socks4, socks5 or http; RDNS: yes or no; PROXY: [NAME:PASSWORD@]HOST:PORT
"""

import socket
import sys
import threading

from python_socks import ProxyError
from python_socks.sync import Proxy


def main():
    scheme, rdns, address, host, port = sys.argv[1:]
    proxy = Proxy.from_url(f"{scheme}://{address}", rdns=rdns == "yes")
    try:
        connection = proxy.connect(dest_host=host, dest_port=int(port), timeout=30)
    except ProxyError as error:
        sys.exit(f"ProxyError {error.error_code}: {error}")
    request = sys.stdin.buffer.read()

    def send():
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    while chunk := connection.recv(65536):
        sys.stdout.buffer.write(chunk)
    sender.join()


main()
