"""One frame of each kind that a cable carries. `frame_kinds.py send IFACE`; `frame_kinds.py receive IFACE` prints those that came."""

import socket
import struct
import sys
import time

SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
HERE = bytes.fromhex("02000000000a")
THERE = bytes.fromhex("02000000000b")


def kinds():
    def frame(to, kind, payload, length=60):
        return (bytes.fromhex(to) + HERE + bytes.fromhex(kind) + payload).ljust(length, b"\0")

    link_local = "0180c20000"
    yield "bpdu", frame(link_local + "00", "0026", bytes.fromhex("4242030000000000"))
    yield "pause", frame(link_local + "01", "8808", bytes.fromhex("0001ffff"))
    yield "lacp", frame(link_local + "02", "8809", bytes.fromhex("0101"), 124)
    yield "eapol", frame(link_local + "03", "888e", bytes.fromhex("01010000"))
    yield "lldp", frame(link_local + "0e", "88cc", bytes.fromhex("020704"))
    yield "mvrp", frame(link_local + "21", "88f5", b"\0")
    yield "ptp", frame("011b19000000", "88f7", bytes.fromhex("0002"))
    yield "cdp", frame("01000ccccccc", "0020", bytes.fromhex("aaaa0300000c2000"))
    yield "arp", frame("ffffffffffff", "0806", bytes.fromhex("0001080006040001"))
    yield "rarp", frame("ffffffffffff", "8035", bytes.fromhex("0001080006040003"))
    yield "wake", frame("ffffffffffff", "0842", b"\xff" * 6 + THERE * 16, 116)
    yield "igmp", frame("01005e000016", "0800", bytes.fromhex("46c00028000040000102"))
    yield "nd", frame("333300000001", "86dd", bytes.fromhex("6000000000203aff"))
    yield "ip", frame(THERE.hex(), "0800", bytes.fromhex("45000014000000004000"))
    yield "other", frame("02000000000c", "88b5", b"somebody else's")
    yield "mpls", frame(THERE.hex(), "8847", bytes.fromhex("00010140"))
    yield "pppoe", frame(THERE.hex(), "8864", bytes.fromhex("11000001"))
    yield "macsec", frame(THERE.hex(), "88e5", bytes.fromhex("2c00"))
    yield "vlan", frame(THERE.hex(), "8100", bytes.fromhex("60070800") + b"tagged", 64)
    yield "qinq", frame(THERE.hex(), "88a8", bytes.fromhex("006481000007") + bytes.fromhex("0800") + b"tagged twice", 64)
    yield "jumbo", frame(THERE.hex(), "88b5", bytes(n % 251 for n in range(9000)), 9014)


def main():
    what, interface = sys.argv[1:]
    own = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    own.bind((interface, 0))
    if what == "send":
        for _, bytes_ in kinds():
            own.send(bytes_)
            time.sleep(0.005)
        return
    own.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    own.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    own.settimeout(10)
    open("listening", "w").close()
    wanted, seen = dict(kinds()), []
    while len(seen) < len(wanted):
        try:
            data, control, _, _ = own.recvmsg(10_000, 100)
        except TimeoutError:
            break
        for level, kind, told in control:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", told[:20])
            if status & 0x10:
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
        seen += [name for name, bytes_ in wanted.items() if bytes_ == data and name not in seen]
    print(" ".join(name if name in seen else f"-{name}" for name in wanted))


main()
