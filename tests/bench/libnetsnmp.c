/* The inventory of every element of `lab network --mix`, asked by libnetsnmp: what polling is
 * measured against.
 *
 * Single sessions and epoll, so that the library need not look through all sessions for each
 * answer. A first round, which finds the engines of version 3, is not timed. Prints one line of
 * JSON.
 *
 * usage: libnetsnmp 2c|3 PORT ELEMENTS IN_FLIGHT REPETITIONS full|refresh COMMUNITY USER AUTH PRIV
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/library/keytools.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define TABLES 3

static const char *const SCALARS[] = {
    "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.4.0",
    "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.1.7.0", "1.3.6.1.6.3.10.2.1.1.0",
};
/* What elements tell of their own changes. */
static const char *const CHANGES[] = {
    "1.3.6.1.2.1.47.1.4.1.0", "1.0.8802.1.1.2.1.2.1.0", "1.3.6.1.2.1.31.1.5.0", "1.3.6.1.6.3.10.2.1.2.0",
};
/* Columns first to last below an entry. */
static const struct { const char *entry; oid first, last; } TABLE[TABLES] = {
    { "1.3.6.1.2.1.47.1.1.1.1", 2, 17 },
    { "1.3.6.1.2.1.2.2.1", 6, 6 },
    { "1.0.8802.1.1.2.1.4.1.1", 4, 12 },
};

struct element {
    struct session_list *session;
    int fd, table;
    u_char engine[64];
    size_t engine_length;
};

static struct { oid name[MAX_OID_LEN]; size_t length; } scalars[8], changes[4], entries[TABLES];
static struct element *elements;
static int count, port, in_flight, repetitions, version, refresh, poller;
static int next, open_now, failed;
static long variables, exchanges;
static double steady_at;
static int steady_count;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static struct element **owner;
static int most_fds;
static const char *community, *user;
static u_char auth_key[USM_AUTH_KU_LEN], priv_key[USM_PRIV_KU_LEN];
static size_t auth_length = USM_AUTH_KU_LEN, priv_length = USM_PRIV_KU_LEN;

static int answered(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic);

static void finish(struct element *element, int well) {
    epoll_ctl(poller, EPOLL_CTL_DEL, element->fd, NULL);
    element->table = -2;
    failed += !well;
}

static void ask(struct element *element, const oid *from, size_t length) {
    netsnmp_pdu *pdu;
    if (element->table < 0) {
        pdu = snmp_pdu_create(SNMP_MSG_GET);
        for (int n = 0; n < 8; n++) snmp_add_null_var(pdu, scalars[n].name, scalars[n].length);
        for (int n = 0; refresh && n < 4; n++) snmp_add_null_var(pdu, changes[n].name, changes[n].length);
    } else {
        pdu = snmp_pdu_create(SNMP_MSG_GETBULK);
        pdu->non_repeaters = 0;
        pdu->max_repetitions = repetitions;
        snmp_add_null_var(pdu, from, length);
    }
    exchanges++;
    if (!snmp_sess_async_send(element->session, pdu, answered, element)) {
        snmp_free_pdu(pdu);
        finish(element, 0);
    }
}

static void begin_table(struct element *element) {
    if (++element->table >= TABLES) {
        finish(element, 1);
        return;
    }
    int at = element->table;
    entries[at].name[entries[at].length] = TABLE[at].first;
    ask(element, entries[at].name, entries[at].length + 1);
}

static int answered(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic) {
    struct element *element = magic;
    (void)session, (void)id;
    if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || pdu->command != SNMP_MSG_RESPONSE || pdu->errstat) {
        finish(element, 0);
        return 1;
    }
    if (element->table < 0) {
        for (netsnmp_variable_list *one = pdu->variables; one; one = one->next_variable) variables++;
        if (refresh) finish(element, 1); else begin_table(element);
        return 1;
    }
    int at = element->table;
    size_t length = entries[at].length;
    netsnmp_variable_list *last = NULL;
    for (netsnmp_variable_list *one = pdu->variables; one; one = one->next_variable) {
        int inside = one->type != SNMP_ENDOFMIBVIEW && one->name_length > length + 1
            && !memcmp(one->name, entries[at].name, length * sizeof(oid))
            && one->name[length] >= TABLE[at].first && one->name[length] <= TABLE[at].last;
        if (!inside) {
            begin_table(element);
            return 1;
        }
        variables++;
        last = one;
    }
    if (last) ask(element, last->name, last->name_length); else begin_table(element);
    return 1;
}

static void begin(struct element *element, int n) {
    netsnmp_session wanted;
    char peer[64];
    unsigned address = 0x7f1f0000u + n / 250 * 256 + n % 250 + 1;
    snmp_sess_init(&wanted);
    snprintf(peer, sizeof peer, "udp:%u.%u.%u.%u:%d", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255, port);
    wanted.peername = peer;
    wanted.timeout = 2000000;
    wanted.retries = 2;
    if (version == 2) {
        wanted.version = SNMP_VERSION_2c;
        wanted.community = (u_char *)community;
        wanted.community_len = strlen(community);
    } else {
        wanted.version = SNMP_VERSION_3;
        wanted.securityName = (char *)user;
        wanted.securityNameLen = strlen(user);
        wanted.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
        wanted.securityAuthProto = (oid *)usmHMACSHA1AuthProtocol;
        wanted.securityAuthProtoLen = 10;
        memcpy(wanted.securityAuthKey, auth_key, auth_length);
        wanted.securityAuthKeyLen = auth_length;
        wanted.securityPrivProto = (oid *)usmAESPrivProtocol;
        wanted.securityPrivProtoLen = 10;
        memcpy(wanted.securityPrivKey, priv_key, priv_length);
        wanted.securityPrivKeyLen = priv_length;
        if (element->engine_length) {
            wanted.securityEngineID = wanted.contextEngineID = element->engine;
            wanted.securityEngineIDLen = wanted.contextEngineIDLen = element->engine_length;
        }
    }
    element->session = snmp_sess_open(&wanted);
    if (!element->session) {
        failed++;
        return;
    }
    netsnmp_session *session = snmp_sess_session(element->session);
    if (version == 3 && !element->engine_length && session->securityEngineIDLen <= sizeof element->engine) {
        memcpy(element->engine, session->securityEngineID, session->securityEngineIDLen);
        element->engine_length = session->securityEngineIDLen;
    }
    element->fd = snmp_sess_transport(element->session)->sock;
    element->table = -1;
    if (element->fd >= most_fds) exit(3);
    owner[element->fd] = element;
    open_now++;
    struct epoll_event event = { .events = EPOLLIN, .data.fd = element->fd };
    epoll_ctl(poller, EPOLL_CTL_ADD, element->fd, &event);
    ask(element, NULL, 0);
}

static void reap(struct element *element) {
    if (element->table != -2) return;
    owner[element->fd] = NULL;
    snmp_sess_close(element->session);
    element->table = -3;
    open_now--;
}

static void round_with_all(void) {
    struct epoll_event events[64];
    netsnmp_large_fd_set ready;
    netsnmp_large_fd_set_init(&ready, most_fds);
    next = failed = 0;
    variables = exchanges = 0;
    while (next < count || open_now) {
        while (next < count && open_now < in_flight) {
            begin(&elements[next], next);
            reap(&elements[next]);
            if (++next == count) {
                steady_at = now();
                steady_count = count - open_now;
            }
        }
        int got = epoll_wait(poller, events, 64, 500);
        for (int n = 0; n < got; n++) {
            int fd = events[n].data.fd;
            struct element *element = owner[fd];
            if (!element) continue;
            netsnmp_large_fd_setfd(fd, &ready);
            snmp_sess_read2(element->session, &ready);
            netsnmp_large_fd_clr(fd, &ready);
            reap(element);
        }
        for (int fd = 0; got == 0 && fd < most_fds; fd++)
            if (owner[fd]) {
                snmp_sess_timeout(owner[fd]->session);
                reap(owner[fd]);
            }
    }
    netsnmp_large_fd_set_cleanup(&ready);
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

#define READ_NAME(all, texts, n) do { \
    all[n].length = MAX_OID_LEN; \
    if (!read_objid(texts, all[n].name, &all[n].length)) return 2; \
} while (0)

int main(int argc, char **argv) {
    if (argc != 11) return 2;
    version = atoi(argv[1]);
    port = atoi(argv[2]);
    count = atoi(argv[3]);
    in_flight = atoi(argv[4]);
    repetitions = atoi(argv[5]);
    refresh = !strcmp(argv[6], "refresh");
    community = argv[7];
    user = argv[8];
    setenv("MIBS", "", 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    init_snmp("marque-bench");
    for (int n = 0; n < 8; n++) READ_NAME(scalars, SCALARS[n], n);
    for (int n = 0; n < 4; n++) READ_NAME(changes, CHANGES[n], n);
    for (int n = 0; n < TABLES; n++) READ_NAME(entries, TABLE[n].entry, n);
    if (version == 3
        && (generate_Ku(usmHMACSHA1AuthProtocol, 10, (u_char *)argv[9], strlen(argv[9]), auth_key, &auth_length)
            || generate_Ku(usmHMACSHA1AuthProtocol, 10, (u_char *)argv[10], strlen(argv[10]), priv_key, &priv_length)))
        return 2;
    most_fds = in_flight + 64;
    elements = calloc(count, sizeof *elements);
    owner = calloc(most_fds, sizeof *owner);
    poller = epoll_create1(0);
    if (version == 3) round_with_all();
    double began = now(), used = cpu();
    round_with_all();
    double seconds = now() - began;
    used = cpu() - used;
    struct rusage most;
    getrusage(RUSAGE_SELF, &most);
    printf("{\"seconds\":%.4f,\"cpu\":%.4f,\"peak_kib\":%ld,\"variables\":%ld,\"exchanges\":%ld,\"failed\":%d,\"steady\":%.1f}\n",
           seconds, used, most.ru_maxrss, variables, exchanges, failed, steady_count / (steady_at - began));
    return failed != 0;
}
