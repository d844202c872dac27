import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { DownloadError } from './errors.js';

/**
 * Addresses that are not of the public internet: IANA's registries of special-purpose addresses (RFC 6890 and its updates), multicast,
 * and the ways to write an IPv4 address inside an IPv6 one that lead back to them.
 */
const SPECIAL = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv4');
}
/** Only global unicast, 2000::/3, is public, and not all of it. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  // Teredo and 6to4 carry IPv4 addresses; the others are for protocols, documentation and segment routing.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv6');
}

/** Whether an IPv4 or IPv6 address, without brackets, belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  const plain = address.split('%')[0] as string;
  const version = isIP(plain);
  if (version === 4) return !SPECIAL.check(plain, 'ipv4');
  return version === 6 && GLOBAL.check(plain, 'ipv6') && !SPECIAL.check(plain, 'ipv6');
}

export function forbidden(host: string): DownloadError {
  const advice = 'Only addresses of the public internet may be named; GRAFT_PRIVATE_DOWNLOADS=on allows all';
  return new DownloadError('FORBIDDEN_ADDRESS', `${host} is an address inside this machine or its network. ${advice}.`);
}

/** Throws FORBIDDEN_ADDRESS for what can be seen without asking DNS. */
export function checkHost({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const isLocalName = /^(?:.*\.)?(?:localhost|local|internal|home\.arpa)$/i.test(host);
  if (isLocalName || (isIP(host) !== 0 && !isPublicAddress(host))) throw forbidden(hostname);
}

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;

/**
 * For connections: resolves a name and refuses it where any of its addresses is not public. The connection is made to the addresses
 * that were looked at, so that a name cannot change between the check and its use.
 */
export const publicLookup: Lookup = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(forbidden(hostname), []);
    }
    if (options.all) return callback(null, addresses);
    const [{ address, family }] = addresses as [LookupAddress];
    callback(null, address, family);
  });
};
