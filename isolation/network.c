#include "isolation/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io/fd.h"

/* --- one message ------------------------------------------------------------------------------------------------- */

struct message {
    struct nlmsghdr head;
    char bytes[512]; /* more than any of ours takes */
};

static void *room(struct message *m, size_t len)
{
    char *at = (char *)m + NLMSG_ALIGN(m->head.nlmsg_len);
    m->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->head.nlmsg_len) + len);
    return at;
}

static struct message begin(uint16_t type, uint16_t flags, struct ifinfomsg info)
{
    struct message m = {.head = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = type,
                                 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)}};
    memcpy(room(&m, sizeof info), &info, sizeof info);
    return m;
}

static void put(struct message *m, uint16_t type, const void *value, size_t len)
{
    struct rtattr attr = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = type};
    char *at = room(m, RTA_LENGTH(len));
    memcpy(at, &attr, sizeof attr);
    memcpy(at + RTA_LENGTH(0), value, len);
}

static size_t open_nest(struct message *m, uint16_t type)
{
    size_t at = NLMSG_ALIGN(m->head.nlmsg_len);
    put(m, type, "", 0);
    return at;
}

static void close_nest(struct message *m, size_t at)
{
    uint16_t len = (uint16_t)(m->head.nlmsg_len - at);
    memcpy((char *)m + at, &len, sizeof len); /* rta_len comes first */
}

static int call(int netlink, const struct message *m)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[1024];
    } answer;
    if (send(netlink, m, m->head.nlmsg_len, 0) < 0)
        return -errno;
    ssize_t n = recv(netlink, &answer, sizeof answer, 0);
    if (n < 0)
        return -errno;
    bool is_answer = n >= (ssize_t)(sizeof answer.head + sizeof answer.error.error) &&
                     answer.head.nlmsg_type == NLMSG_ERROR;
    return is_answer ? answer.error.error : -EPROTO;
}

/* Any socket answers this one. No call for another is left to a warden that runs (own_filter_warden.c). 0 and errno. */
static unsigned index_of(int netlink, const char *name)
{
    struct ifreq link = {0};
    memcpy(link.ifr_name, name, strnlen(name, sizeof link.ifr_name - 1));
    return ioctl(netlink, SIOCGIFINDEX, &link) < 0 ? 0 : (unsigned)link.ifr_ifindex;
}

/* --- the node's -------------------------------------------------------------------------------------------------- */

static int refuse(const char *text, struct err *err)
{
    return err_set(err, -EINVAL, "--private-net: '%s' is not BRIDGE=ADDRESS/PREFIX[:route]", text);
}

static int parse(struct network *n, const char *text, struct err *err)
{
    char address[INET_ADDRSTRLEN];
    size_t name_len = strcspn(text, "=");
    const char *at = text + name_len + 1;
    if (text[name_len] != '=' || name_len == 0 || name_len >= sizeof n->bridge)
        return refuse(text, err);
    memcpy(n->bridge, text, name_len);
    size_t len = strcspn(at, "/");
    if (at[len] != '/' || len >= sizeof address)
        return refuse(text, err);
    memcpy(address, at, len);
    address[len] = '\0';
    struct in_addr parsed;
    char *end;
    if (at[len + 1] < '0' || at[len + 1] > '9' || inet_pton(AF_INET, address, &parsed) != 1)
        return refuse(text, err);
    unsigned long prefix = strtoul(at + len + 1, &end, 10);
    n->route = strcmp(end, ":route") == 0;
    if (prefix < 8 || prefix > 30 || (*end != '\0' && !n->route))
        return refuse(text, err);
    n->gateway = ntohl(parsed.s_addr);
    n->prefix = (uint32_t)prefix;
    return 0;
}

int network_open(struct network *n, const char *text, struct err *err)
{
    *n = (struct network){.netlink = -1};
    if (text == NULL)
        return 0;
    int rc = parse(n, text, err);
    if (rc < 0)
        return rc;
    n->index = if_nametoindex(n->bridge);
    if (n->index == 0)
        return err_set(err, -errno, "--private-net: bridge '%s': %s", n->bridge, strerror(errno));
    n->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return n->netlink < 0 ? err_set(err, -errno, "--private-net: netlink: %s", strerror(errno)) : 0;
}

void network_close(struct network *n)
{
    close_p(&n->netlink);
}

int network_end(const struct network *n, uint32_t slot, struct network_end *ret)
{
    *ret = (struct network_end){0};
    if (n->netlink < 0)
        return 0;
    *ret = (struct network_end){.gateway = n->gateway, .prefix = n->prefix, .route = n->route};
    return network_address(n->gateway, n->prefix, slot, &ret->address);
}

/* --- one sandbox's ----------------------------------------------------------------------------------------------- */

static size_t name_of(uint32_t id, char out[IFNAMSIZ])
{
    return (size_t)snprintf(out, IFNAMSIZ, "rv%x", id) + 1;
}

static int make_pair(const struct network *n, uint32_t id, int namespace)
{
    char name[IFNAMSIZ];
    const struct ifinfomsg none = {.ifi_family = AF_UNSPEC};
    struct message m = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, none);
    put(&m, IFLA_IFNAME, name, name_of(id, name));
    put(&m, IFLA_MASTER, &n->index, sizeof n->index);
    size_t link = open_nest(&m, IFLA_LINKINFO);
    put(&m, IFLA_INFO_KIND, "veth", sizeof "veth");
    size_t data = open_nest(&m, IFLA_INFO_DATA), peer = open_nest(&m, VETH_INFO_PEER);
    memcpy(room(&m, sizeof none), &none, sizeof none);
    put(&m, IFLA_IFNAME, NETWORK_INSIDE, sizeof NETWORK_INSIDE);
    put(&m, IFLA_NET_NS_FD, &namespace, sizeof namespace);
    close_nest(&m, peer);
    close_nest(&m, data);
    close_nest(&m, link);
    return call(n->netlink, &m);
}

/* Before it is up: not one packet goes from job to job. */
static int isolate(const struct network *n, unsigned index)
{
    struct message m = begin(RTM_SETLINK, 0, (struct ifinfomsg){.ifi_family = AF_BRIDGE, .ifi_index = (int)index});
    size_t port = open_nest(&m, IFLA_PROTINFO | NLA_F_NESTED);
    put(&m, IFLA_BRPORT_ISOLATED, &(uint8_t){1}, 1);
    close_nest(&m, port);
    return call(n->netlink, &m);
}

static int raise_link(const struct network *n, unsigned index)
{
    struct message m = begin(RTM_NEWLINK, 0,
                             (struct ifinfomsg){.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
    return call(n->netlink, &m);
}

int network_join(const struct network *n, uint32_t id, int namespace)
{
    char name[IFNAMSIZ];
    int rc = make_pair(n, id, namespace);
    if (rc == -EEXIST) { /* of the slot's attempt before, whose namespace is still on its way out */
        network_leave(n, id);
        rc = make_pair(n, id, namespace);
    }
    if (rc < 0)
        return rc;
    name_of(id, name);
    unsigned index = index_of(n->netlink, name);
    rc = index == 0 ? -errno : isolate(n, index);
    return rc < 0 ? rc : raise_link(n, index);
}

void network_leave(const struct network *n, uint32_t id)
{
    char name[IFNAMSIZ];
    if (n->netlink < 0)
        return;
    struct message m = begin(RTM_DELLINK, 0, (struct ifinfomsg){.ifi_family = AF_UNSPEC});
    put(&m, IFLA_IFNAME, name, name_of(id, name));
    (void)!call(n->netlink, &m); /* it goes with the namespace, too: most often it is gone */
}
