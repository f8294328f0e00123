#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ask one question, some number of times, and print each response as bytes.

usage: ask.py SERVER NAME TYPE [--tcp] [--times N] [--port P] [--id N] [--no-rd]
              [--edns SIZE] [--do] [--timeout S] [--mask-ttl]

One line a response: RCODE ANCOUNT HEX, or `timeout`.  --mask-ttl zeroes the TTLs, so
that answers from a cache can be compared byte by byte.  Exit status 0 if every query
was answered.  Small on purpose: a second opinion beside dig, which hides the bytes.
"""
import argparse
import socket
import struct
import sys

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15,
         "TXT": 16, "AAAA": 28, "SRV": 33, "DS": 43, "HTTPS": 65, "ANY": 255}


def query(args):
    flags = 0 if args.no_rd else 0x0100
    wire = b"".join(bytes([len(label)]) + label.encode("ascii")
                    for label in args.name.rstrip(".").split(".") if label) + b"\0"
    qtype = TYPES[args.type.upper()] if args.type.upper() in TYPES else int(args.type)
    opt = b""
    if args.edns:
        opt = b"\0" + struct.pack(">HHIH", 41, args.edns, 0x8000 if args.do else 0, 0)
    return struct.pack(">6H", args.id, flags, 1, 0, 0, 1 if opt else 0) + wire + \
        struct.pack(">HH", qtype, 1) + opt


def name_end(message, pos):
    while True:
        length = message[pos]
        if length >= 0xC0:
            return pos + 2
        pos += 1 + length
        if not length:
            return pos


def mask_ttls(message):
    out = bytearray(message)
    counts = struct.unpack(">4H", message[4:12])
    pos = 12
    for _ in range(counts[0]):
        pos = name_end(message, pos) + 4
    for _ in range(sum(counts[1:])):
        pos = name_end(message, pos)
        rtype, _, _, rdlen = struct.unpack(">HHIH", message[pos:pos + 10])
        if rtype != 41:  # an OPT's TTL is flags
            out[pos + 4:pos + 8] = b"\0\0\0\0"
        pos += 10 + rdlen
    return bytes(out)


def receive_all(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def ask(args, message):
    family = socket.AF_INET6 if ":" in args.server else socket.AF_INET
    kind = socket.SOCK_STREAM if args.tcp else socket.SOCK_DGRAM
    with socket.socket(family, kind) as sock:
        sock.settimeout(args.timeout)
        sock.connect((args.server, args.port))
        if args.tcp:
            sock.sendall(struct.pack(">H", len(message)) + message)
            return receive_all(sock, struct.unpack(">H", receive_all(sock, 2))[0])
        sock.send(message)
        return sock.recv(65535)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("name")
    parser.add_argument("type")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--id", type=int, default=0x5353)
    parser.add_argument("--no-rd", action="store_true")
    parser.add_argument("--edns", type=int, default=0)
    parser.add_argument("--do", action="store_true")
    parser.add_argument("--timeout", type=float, default=2)
    parser.add_argument("--mask-ttl", action="store_true")
    args = parser.parse_args()

    message, lost = query(args), 0
    for _ in range(args.times):
        try:
            response = ask(args, message)
        except (OSError, ConnectionError):
            print("timeout")
            lost += 1
            continue
        rcode, ancount = response[3] & 15, struct.unpack(">H", response[6:8])[0]
        shown = mask_ttls(response) if args.mask_ttl else response
        print(rcode, ancount, shown.hex())
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
