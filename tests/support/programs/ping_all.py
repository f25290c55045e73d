"""Asks every host of the run for an echo, and waits for all answers: ping_all.py

Names and addresses are those of the environment, LONGWIRE_HOST_*. Ends with 0 if all have answered, each once.
"""
import os
import select
import socket
import struct
import sys
import time

FIRST = 512  # identifiers of its own, apart from those of others on the way
hosts = sorted(
    value
    for name, value in os.environ.items()
    if name.startswith("LONGWIRE_HOST_") and not name.endswith("_IPV6")
)
wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
own = FIRST + os.getpid() % 60000


def echo(number):
    head = struct.pack("!BBHHH", 8, 0, 0, own, number)
    total = sum(struct.unpack("!4H", head))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, own, number)


answers = [0] * len(hosts)


def hear(patience):
    while select.select([wire], [], [], patience)[0]:
        patience = 0
        packet = wire.recv(2048)
        kind, _, _, identifier, number = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
        if kind == 0 and identifier == own and number < len(hosts):
            answers[number] += 1


for number, address in enumerate(hosts):
    wire.sendto(echo(number), (address, 0))
    hear(0.002)
end = time.monotonic() + 30
while 0 in answers and time.monotonic() < end:
    hear(0.1)
print(f"{len(hosts)} asked, {sum(count > 0 for count in answers)} answered")
sys.exit(0 if all(count == 1 for count in answers) else 1)
