"""Every frame that passes eth0, in order, with what its kernel left to be done on it.

Usage: capture.py FILE

A record is, little-endian: length of the frame (u32), 1 if it went out or 0 if it came in (u8), the ten bytes of its virtio-net
header as this machine has them, the frame. Last comes a record of length 0 whose header begins with the number of frames that the kernel had no
room for (u32).
"""
import signal
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR = 3, 263, 6, 15

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
for option in (33, socket.SO_RCVBUF):  # SO_RCVBUFFORCE, for which not every root is root enough
    try:
        wire.setsockopt(socket.SOL_SOCKET, option, 128 << 20)
        break
    except PermissionError:
        pass
wire.bind(("eth0", ETH_P_ALL))

stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
wire.settimeout(0.05)
print("capturing", flush=True)

with open(sys.argv[1], "wb") as file:
    while True:
        try:
            got, sender = wire.recvfrom(70000)
        except TimeoutError:
            if stopped:
                break
            continue
        file.write(struct.pack("<IB", len(got) - 10, sender[2] == socket.PACKET_OUTGOING) + got)
    _, drops = struct.unpack("=II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    file.write(struct.pack("<IBI6x", 0, 0, drops))
