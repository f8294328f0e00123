#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ask one question, some number of times, and print each response as bytes.

usage: ask.py SERVER NAME TYPE [--tcp] [--times N] [--port P] [--id N] [--no-rd]
              [--edns SIZE] [--do] [--cd] [--class N] [--timeout S] [--tries N]
              [--mask-ttl] [--from ADDR] [--options]
       ask.py SERVER --file QUESTIONS [options for all]

A line of QUESTIONS is NAME TYPE [options]; --tries N asks again after a timeout.
--from asks from that address; --options puts no-operation options into the IPv4 header,
which XDP leaves to the stack.

One line a response: RCODE ANCOUNT HEX, or `timeout`.  --mask-ttl zeroes the TTLs, so
that answers from a cache can be compared byte by byte.  Exit status 0 if every query
was answered.  Small on purpose: a second opinion beside dig, which hides the bytes.
"""
import argparse
import socket
import struct
import sys

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15,
         "TXT": 16, "AAAA": 28, "SRV": 33, "DNAME": 39, "DS": 43,
         "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "HTTPS": 65, "ANY": 255}


def query(args):
    flags = (0 if args.no_rd else 0x0100) | (0x0010 if args.cd else 0)
    wire = b"".join(bytes([len(label)]) + label.encode("ascii")
                    for label in args.name.rstrip(".").split(".") if label) + b"\0"
    qtype = TYPES[args.type.upper()] if args.type.upper() in TYPES else int(args.type)
    opt = b""
    if args.edns:
        opt = b"\0" + struct.pack(">HHIH", 41, args.edns, 0x8000 if args.do else 0, 0)
    return struct.pack(">6H", args.id, flags, 1, 0, 0, 1 if opt else 0) + wire + \
        struct.pack(">HH", qtype, args.qclass) + opt


def name_end(message, pos):
    while True:
        length = message[pos]
        if length >= 0xC0:
            return pos + 2
        pos += 1 + length
        if not length:
            return pos


def records(message):
    """([(offset of TYPE, type)] of every record, offset behind the last one).

    IndexError or struct.error: the message is cut.
    """
    counts = struct.unpack(">4H", message[4:12])
    pos, found = 12, []
    for _ in range(counts[0]):
        pos = name_end(message, pos) + 4
    for _ in range(sum(counts[1:])):
        pos = name_end(message, pos)
        rtype, _, _, rdlen = struct.unpack(">HHIH", message[pos:pos + 10])
        found.append((pos, rtype))
        pos += 10 + rdlen
    return found, pos


def mask_ttls(message):
    out = bytearray(message)
    for pos, rtype in records(message)[0]:
        if rtype != 41:  # an OPT's TTL is flags
            out[pos + 4:pos + 8] = b"\0\0\0\0"
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
        if args.source:
            sock.bind((args.source, 0))
        if args.options:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\1")
        sock.connect((args.server, args.port))
        if args.tcp:
            sock.sendall(struct.pack(">H", len(message)) + message)
            return receive_all(sock, struct.unpack(">H", receive_all(sock, 2))[0])
        sock.send(message)
        return sock.recv(65535)


def ask_again(args, message):
    for _ in range(args.tries):
        try:
            return ask(args, message)
        except (OSError, ConnectionError):
            pass
    return None


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("name", nargs="?")
    parser.add_argument("type", nargs="?")
    parser.add_argument("--file")
    for flag in ("--tcp", "--no-rd", "--do", "--cd", "--mask-ttl", "--options"):
        parser.add_argument(flag, action="store_true")
    for option, preset in (("--times", 1), ("--tries", 1), ("--port", 53),
                           ("--id", 0x5353), ("--edns", 0)):
        parser.add_argument(option, type=int, default=preset)
    parser.add_argument("--from", dest="source")
    parser.add_argument("--class", dest="qclass", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=2)
    args = parser.parse_args()
    if not args.file:
        return [args]
    with open(args.file, encoding="ascii") as lines:
        common = [word for word in sys.argv[1:]
                  if word not in ("--file", args.file)]
        return [parser.parse_args([common[0]] + line.split() + common[1:])
                for line in lines if line.strip()]


def main():
    lost = 0
    for args in parse():
        for _ in range(args.times):
            response = ask_again(args, query(args))
            if response is None:
                print("timeout", args.name, args.type)
                lost += 1
                continue
            rcode, ancount = response[3] & 15, struct.unpack(">H", response[6:8])[0]
            shown = mask_ttls(response) if args.mask_ttl else response
            print(rcode, ancount, shown.hex(), flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
