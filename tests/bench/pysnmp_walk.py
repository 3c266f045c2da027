"""The inventory of the first elements of `lab network --mix`, asked by pysnmp's asyncio.

usage: pysnmp_walk.py PORT ELEMENTS IN_FLIGHT REPETITIONS COMMUNITY

Prints one line of JSON.
"""

import asyncio
import ipaddress
import json
import resource
import sys
import time

from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData, ContextData, ObjectIdentity, ObjectType, SnmpEngine, UdpTransportTarget, bulk_cmd, get_cmd,
)

SCALARS = [f"1.3.6.1.2.1.1.{n}.0" for n in range(1, 8)] + ["1.3.6.1.6.3.10.2.1.1.0"]
# An entry, its first and its last column.
TABLES = [("1.3.6.1.2.1.47.1.1.1.1", 2, 17), ("1.3.6.1.2.1.2.2.1", 6, 6), ("1.0.8802.1.1.2.1.4.1.1", 4, 12)]

port, elements, in_flight, repetitions = map(int, sys.argv[1:5])
community = CommunityData(sys.argv[5])
engine = SnmpEngine()
tally = {"variables": 0, "exchanges": 0, "failed": 0}


async def inventory(address):
    peer = await UdpTransportTarget.create((address, port), timeout=5, retries=1)

    async def ask(command, *words):
        tally["exchanges"] += 1
        error, status, _, found = await command(engine, community, peer, ContextData(), *words, lookupMib=False)
        if error or status:
            raise ConnectionError(f"{address}: {error or status}")
        return found

    found = await ask(get_cmd, *(ObjectType(ObjectIdentity(name)) for name in SCALARS))
    tally["variables"] += len(found)
    for entry, first, last in TABLES:
        root = tuple(map(int, entry.split(".")))
        cursor, inside = root + (first,), True
        while inside:
            found = await ask(bulk_cmd, 0, repetitions, ObjectType(ObjectIdentity(cursor)))
            inside = bool(found)
            for name, _ in found:
                arcs = tuple(name)
                inside = arcs[:len(root)] == root and len(arcs) > len(root) and first <= arcs[len(root)] <= last
                inside = inside and arcs > cursor
                if not inside:
                    break
                tally["variables"] += 1
                cursor = arcs


async def main():
    turn = asyncio.Semaphore(in_flight)

    async def one(n):
        async with turn:
            try:
                await inventory(str(ipaddress.ip_address(0x7F1F0000 + n // 250 * 256 + n % 250 + 1)))
            except ConnectionError:
                tally["failed"] += 1

    await asyncio.gather(*map(one, range(elements)))


began, before = time.monotonic(), time.process_time()
asyncio.run(main())
print(json.dumps(tally | {
    "seconds": time.monotonic() - began,
    "cpu": time.process_time() - before,
    "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
