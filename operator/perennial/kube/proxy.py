"""The proxy that the environment names for an address: $HTTPS_PROXY, $HTTP_PROXY, $NO_PROXY."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_to(url: str) -> str | None:
    """The proxy for this URL, None for a direct connection."""
    address, proxies = urlsplit(url), getproxies()
    host = address.netloc.rpartition("@")[2]
    is_direct = proxy_bypass(host) or _is_listed(address.hostname or "", proxies.get("no", ""))
    return None if is_direct else proxies.get(address.scheme)


def _is_listed(host: str, no_proxy: str) -> bool:
    """Whether an IP address is in $NO_PROXY. In clusters that has networks, which Python does not know there."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(_contains(each.strip(), address) for each in no_proxy.split(","))


def _contains(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:  # a name
        return False
