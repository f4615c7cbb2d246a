"""Sends stdin through a proxy by PySocks, and writes what comes back to stdout.

usage: pysocks-client.py KIND PROXY_PORT HOST PORT [NAME PASSWORD]
KIND: socks4, socks4a, socks5, socks5h, http or udp
"""

import socket
import sys
import threading

import socks

TYPES = {
    "socks4": (socks.SOCKS4, False),
    "socks4a": (socks.SOCKS4, True),
    "socks5": (socks.SOCKS5, False),
    "socks5h": (socks.SOCKS5, True),
    "http": (socks.HTTP, True),
    "udp": (socks.SOCKS5, False),
}


def exchange(connection, request):
    def send():
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    while chunk := connection.recv(65536):
        sys.stdout.buffer.write(chunk)
    sender.join()


def main():
    kind, proxy_port, host, port, *user = sys.argv[1:]
    is_udp = kind == "udp"
    proxy_type, rdns = TYPES[kind]
    connection = socks.socksocket(type=socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
    connection.settimeout(30)
    name, password = user or (None, None)
    connection.set_proxy(proxy_type, "127.0.0.1", int(proxy_port), rdns, name, password)
    request = sys.stdin.buffer.read()
    if is_udp:
        connection.sendto(request, (host, int(port)))
        answer, sender = connection.recvfrom(65536)
        if sender != (host, int(port)):
            sys.exit(f"answered by {sender}")
        sys.stdout.buffer.write(answer)
    else:
        try:
            connection.connect((host, int(port)))
        except socks.ProxyError as error:
            sys.exit(f"{type(error).__name__}: {error}")
        exchange(connection, request)


main()
