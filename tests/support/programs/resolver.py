"""A name server for tests: every name has the two addresses that it is given. Writes `resolving` when it is up."""

import ipaddress
import socket
import sys

v4, v6 = (ipaddress.ip_address(text).packed for text in sys.argv[1:3])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
open("resolving", "w").close()
while True:
    query, client = server.recvfrom(512)
    end = 12
    while query[end]:
        end += query[end] + 1
    question = query[12 : end + 5]
    kind = int.from_bytes(question[-4:-2], "big")
    address = {1: v4, 28: v6}.get(kind)
    answers = b"" if address is None else b"\xc0\x0c" + question[-4:] + b"\0\0\0\x3c" + len(address).to_bytes(2, "big") + address
    head = query[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if answers else b"\0\0") + b"\0\0\0\0"
    server.sendto(head + question + answers, client)
