"""Sends every datagram back: echo.py PORT."""
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", int(sys.argv[1])))
while True:
    data, peer = server.recvfrom(2048)
    server.sendto(data, peer)
