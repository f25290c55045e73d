"""Sends TCP super-frames whose segments hold one byte each, as fast as it can.

Usage: tiny_segments.py HOST SECONDS
"""
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM, TCPV4 = 1, 1
PAYLOAD = 60_000

address = socket.gethostbyname(sys.argv[1])
with open("/proc/net/arp") as neighbours:
    target = next(line.split()[3] for line in neighbours if line.split()[0] == address)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
wire.bind(("eth0", 0))
ethernet = bytes.fromhex(target.replace(":", "")) + wire.getsockname()[4] + b"\x08\x00"
source = bytes([10, 255, 255, 254])
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + PAYLOAD, 1, 0, 64, 6, 0, source, socket.inet_aton(address))
tcp = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, 0, 0)
# of 54 bytes of header, segments of 1 byte; the checksum begins at 34 and stands 16 bytes from there
header = struct.pack("=BBHHHH", NEEDS_CSUM, TCPV4, 54, 1, 34, 16)
frame = header + ethernet + ip + tcp + bytes(PAYLOAD)
end, sent = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    try:
        wire.send(frame)
        sent += 1
    except OSError:
        pass  # the interface's queue is full
print(f'{{"sent": {sent}}}')
