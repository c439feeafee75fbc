/* A sandbox's own network: the loopback, and its end of the node's network for jobs when it has one. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/job_spec.h"
#include "isolation/sandbox.h"

static void set_address(struct sockaddr *at, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
    memcpy(at, &in, sizeof in);
}

static int raise_link(int fd, const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};
    strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
    return ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

static int set_end(int fd, const struct network_end *end)
{
    struct ifreq address = {.ifr_name = NETWORK_INSIDE}, mask = {.ifr_name = NETWORK_INSIDE};
    set_address(&address.ifr_addr, end->address);
    set_address(&mask.ifr_netmask, network_mask(end->prefix));
    if (ioctl(fd, SIOCSIFADDR, &address) < 0 || ioctl(fd, SIOCSIFNETMASK, &mask) < 0)
        return -errno;
    int rc = raise_link(fd, NETWORK_INSIDE);
    if (rc < 0 || !end->route)
        return rc;
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    set_address(&route.rt_dst, 0);
    set_address(&route.rt_genmask, 0);
    set_address(&route.rt_gateway, end->gateway);
    return ioctl(fd, SIOCADDRT, &route) < 0 ? -errno : 0;
}

int sandbox_network(struct sandbox *s)
{
    if (s->spec.network == NET_HOST)
        return 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = raise_link(fd, "lo");
    if (rc == 0 && s->end.address != 0)
        rc = set_end(fd, &s->end);
    close(fd);
    return rc;
}
