#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hostile packets, as a client's queries and as an upstream's responses.

usage: hostile.py client SERVER [--tcp] [--rounds N] [--seed N] [--packets DIR]
       hostile.py upstream ADDRESS [--seed N] [--packets DIR]

The packets are queries and responses with bits flipped, bytes cut and bytes added, from
the seed; with --packets also every file of a directory (tests/README.md says which).
`client` sends them all, --rounds times, and checks what comes back: a response (QR=1) to
something that was sent just now and was not itself a response, that reads to its last
byte.  It prints how many it sent and got.  `upstream` answers questions with such
packets until it is ended; what it sends has the ID and, every other time, the question.
"""
import argparse
import os
import random
import socket
import struct
import sys

from ask import name_end, receive_all, records

WINDOW = 40  # sent before the responses are read
QUIET = 0.03  # seconds without a response, and the rest will not come


def question(name, qtype):
    labels = b"".join(bytes([len(part)]) + part for part in name.split(b".") if part)
    return labels + b"\0" + struct.pack(">HH", qtype, 1)


def whole_messages():
    """Good queries and responses, to be spoiled."""
    names = (b"www.lab.example", b"host-7.up.example", b"x.wild.lab.example", b"old.lab.example",
             b"a" * 63 + b".up.example", b"nobody.example", b"")
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)
    cookie = b"\0" + struct.pack(">HHIHHHQ", 41, 512, 0, 12, 10, 8, 1)
    for name in names:
        for qtype in (1, 2, 6, 28, 41, 250, 252, 255, 65280):
            asked = question(name, qtype)
            for extra in (b"", opt, cookie):
                yield struct.pack(">6H", 0, 0x0100, 1, 0, 0, bool(extra)) + asked + extra
            records = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 2) + b"\xc0\x0c" + \
                b"\xc0\x0c" + struct.pack(">HHIH", qtype, 1, 0xffffffff, 4) + b"\1\2\3\4"
            yield struct.pack(">6H", 0, 0x8180, 1, 2, 0, 0) + asked + records


def spoil(message, dice):
    out = bytearray(message)
    kind = dice.randrange(4)
    if kind == 0:
        out = out[:dice.randrange(len(out) + 1)]
    elif kind == 1:
        out += dice.randbytes(dice.choice((1, 11, 400)))
    for _ in range(kind and dice.randrange(6)):
        out[dice.randrange(2, len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def load(args):
    dice = random.Random(args.seed)
    packets = [spoil(message, dice) for message in whole_messages() for _ in range(5)]
    for folder, _, files in os.walk(args.packets or os.devnull):
        for name in sorted(files):
            with open(os.path.join(folder, name), "rb") as file:
                packets.append(file.read(1400))
    return packets


def check(response, sent):
    """None, or what is wrong with @response to the message @sent."""
    if len(response) < 12 or not response[2] & 0x80:
        return "is no response"
    if len(sent) < 12 or sent[2] & 0x80:
        return "answers what asked for nothing"
    try:
        _, end = records(response)
    except (IndexError, struct.error):
        return "is cut"
    return None if end == len(response) else "does not end with its last record"


def take(response, window, wrong):
    sent = window.get(bytes(response[:2]))
    what = check(response, sent) if sent is not None else "answers nothing that was asked"
    if what:
        wrong.append(f"{what}: {bytes(response).hex()} to {(sent or b'').hex()}")


def ask_udp(server, window, wrong):
    got = 0
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(QUIET)
        sock.connect((server, 53))
        for message in window.values():
            sock.send(message)
        try:
            while True:
                take(sock.recv(65535), window, wrong)
                got += 1
        except OSError:
            return got


def ask_tcp(server, window, wrong):
    got = 0
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(QUIET)
        try:
            sock.connect((server, 53))
            for message in window.values():
                sock.sendall(struct.pack(">H", len(message)) + message)
            while True:
                size = struct.unpack(">H", receive_all(sock, 2))[0]
                take(receive_all(sock, size), window, wrong)
                got += 1
        except OSError:  # it may close a connection that sends rubbish
            return got


def client(args):
    packets = load(args)
    asked = ask_tcp if args.tcp else ask_udp
    sent, got, wrong = 0, 0, []
    for _ in range(args.rounds):
        for start in range(0, len(packets), WINDOW):
            window = {}
            for packet in packets[start:start + WINDOW]:
                number = struct.pack(">H", sent & 0xffff)
                window[number] = number + packet[2:] if len(packet) > 2 else packet
                sent += 1
            got += asked(args.server, window, wrong)
    print(f"sent {sent}, got {got}, wrong {len(wrong)}")
    for line in wrong[:5]:
        print(line)
    return 1 if wrong or not got else 0


def upstream(args):
    packets = load(args)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((args.server, 53))
        count = 0
        while True:
            asked, remote = sock.recvfrom(4096)
            packet = packets[count % len(packets)]
            count += 1
            if len(asked) < 17:
                continue
            head = bytearray(packet[:12].ljust(12, b"\0"))
            head[:2] = asked[:2]
            head[2] |= 0x80
            body = packet[12:]
            if count % 2:  # what follows the packet's own question, after ours
                try:
                    body = asked[12:name_end(asked, 12) + 4] + \
                        packet[name_end(packet, 12) + 4:]
                    head[2], head[3], head[4:6] = 0x81, head[3] & 0x8f, b"\0\1"
                except IndexError:
                    pass
            sock.sendto(bytes(head) + body, remote)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("client", "upstream"))
    parser.add_argument("server")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=53)
    parser.add_argument("--packets")
    args = parser.parse_args()
    return client(args) if args.role == "client" else upstream(args)


if __name__ == "__main__":
    sys.exit(main())
