"""Sends a datagram each 20 ms from one socket, which it never binds, and counts answers: chat.py ADDRESS PORT SECONDS.

The kernel looks the route up for each datagram, and takes the sender's address from it. So when the default route moves, the
next datagram leaves by the other interface, from the other address, as a QUIC connection that migrates.
"""
import socket
import sys
import time

address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
chat = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
chat.settimeout(0.02)
begin, sent, answered = time.monotonic(), 0, set()
last_answer, longest_gap = begin, 0.0


def hear():
    global last_answer, longest_gap
    try:
        number = int(chat.recv(2048))
    except socket.timeout:
        return
    now = time.monotonic()
    longest_gap = max(longest_gap, now - last_answer)
    last_answer = now
    answered.add(number)


while time.monotonic() < begin + seconds:
    if time.monotonic() >= begin + 0.02 * sent:
        chat.sendto(str(sent).encode(), (address, port))
        sent += 1
    chat.settimeout(max(0.001, begin + 0.02 * sent - time.monotonic()))
    hear()
print(f"{sent} sent, {len(answered)} answered, longest gap {longest_gap * 1000:.0f} ms")
sys.exit(0 if time.monotonic() - last_answer < 1 else 1)
