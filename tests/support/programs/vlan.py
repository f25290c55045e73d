"""A VLAN interface made by hand, for kernels without one: what leaves `v7` goes out of eth0 with a tag, super-frames whole.

Usage: vlan.py ADDRESS/PREFIX
"""
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

VLAN = 7
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
OFFLOADS = 1 | 2 | 4  # checksums, TSO over IPv4 and IPv6
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR = 3, 263, 8, 15
TP_STATUS_VLAN_VALID = 1 << 4
HEADER = struct.Struct("=BBHHHH")  # flags, type, header length, size, start of the checksum, its place from there

tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"v7", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
fcntl.ioctl(tap, TUNSETOFFLOAD, OFFLOADS)
for line in (f"address add {sys.argv[1]} dev v7", "link set v7 up"):
    subprocess.run(["ip", *line.split()], check=True)

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
for option in (PACKET_VNET_HDR, PACKET_AUXDATA):
    wire.setsockopt(SOL_PACKET, option, 1)
try:
    wire.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
except PermissionError:
    pass
wire.bind(("eth0", ETH_P_ALL))
print("tagging", flush=True)

trains = 0
while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready == tap:
            got = os.read(tap, 70000)
            flags, kind, length, size, start, place = HEADER.unpack(got[:10])
            start += 4 if flags & 1 else 0
            length += 4 if kind else 0
            tag = struct.pack("!HH", 0x8100, VLAN)
            try:
                wire.send(HEADER.pack(flags, kind, length, size, start, place) + got[10:22] + tag + got[22:])
            except OSError as error:
                print(f"not sent: {error}", flush=True)
                continue
            if kind:
                trains += 1
                if trains == 1:
                    print(f"a train of {len(got) - 10} bytes", flush=True)
        else:
            got, extra, _, sender = wire.recvmsg(70000, 256)
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            # the kernel has taken the tag off, and tells it beside the frame
            for level, which, data in extra:
                if (level, which) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tag, _ = struct.unpack("=IIIHHHH", data[:20])
                    if status & TP_STATUS_VLAN_VALID and tag & 0xFFF == VLAN:
                        os.write(tap, got)
