"""An SNMP engine of another make, for what snmpd does not speak and as a second opinion.

Arguments: port, authentication password, privacy password. Says "ready" when it
answers; ends when its standard input does.
"""

import asyncio
import sys

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context

AUTHS = {
    "md5": config.USM_AUTH_HMAC96_MD5,
    "sha1": config.USM_AUTH_HMAC96_SHA,
    "sha224": config.USM_AUTH_HMAC128_SHA224,
    "sha256": config.USM_AUTH_HMAC192_SHA256,
    "sha384": config.USM_AUTH_HMAC256_SHA384,
    "sha512": config.USM_AUTH_HMAC384_SHA512,
}
PRIVACIES = {
    "des": config.USM_PRIV_CBC56_DES,
    "3des": config.USM_PRIV_CBC168_3DES,
    "aes128": config.USM_PRIV_CFB128_AES,
    "aes192-blumenthal": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "aes192-reeder": config.USM_PRIV_CFB192_AES,
    "aes256-blumenthal": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "aes256-reeder": config.USM_PRIV_CFB256_AES,
}
COMMUNITY = "hunter2"
CONTEXT = "vrf-blue"
EVERYTHING = (1, 3, 6)


async def serve(port, auth_password, privacy_password):
    snmp = engine.SnmpEngine()
    transport = udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", port))
    config.add_transport(snmp, udp.DOMAIN_NAME, transport)
    config.add_v1_system(snmp, "here", COMMUNITY)
    for version in (1, 2):
        config.add_vacm_user(snmp, version, "here", "noAuthNoPriv", EVERYTHING)
    config.add_v3_user(snmp, "none-none")
    config.add_vacm_user(snmp, 3, "none-none", "noAuthNoPriv", EVERYTHING)
    for auth_name, auth in AUTHS.items():
        name = f"{auth_name}-none"
        config.add_v3_user(snmp, name, auth, auth_password)
        config.add_vacm_user(snmp, 3, name, "authNoPriv", EVERYTHING)
        for privacy_name, privacy in PRIVACIES.items():
            name = f"{auth_name}-{privacy_name}"
            config.add_v3_user(snmp, name, auth, auth_password, privacy, privacy_password)
            config.add_vacm_user(snmp, 3, name, "authPriv", EVERYTHING)
    everything = context.SnmpContext(snmp)
    everything.register_context_name(CONTEXT)
    name = "sha256-aes128"
    config.add_vacm_user(snmp, 3, name, "authPriv", EVERYTHING, contextName=CONTEXT)
    cmdrsp.GetCommandResponder(snmp, everything)
    cmdrsp.NextCommandResponder(snmp, everything)
    cmdrsp.BulkCommandResponder(snmp, everything)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
