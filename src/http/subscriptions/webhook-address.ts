/**
 * Where requests may be sent that somebody else has asked for: to public addresses, over TLS, so that nobody reaches through this server what he cannot reach himself. Names are looked up when
 * they are used, and what they lead to then is what counts.
 */
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** `public`: over TLS to public addresses only; `local`: this machine too, without TLS. */
export type WebhookTargets = 'public' | 'local'

/** One for each family: a network of IPv6 may hold all of IPv4. */
const forbidden = { ipv4: new BlockList(), ipv6: new BlockList() }
const ipv4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/3'
// Of 2000::/3, where what is public stands, what leads to IPv4 addresses in disguise; and all the rest.
const ipv6 = '::/3 4000::/2 8000::/1 2001::/32 2001:db8::/32 2002::/16'
for (const [family, networks] of [
  ['ipv4', ipv4],
  ['ipv6', ipv6],
] as const)
  for (const network of networks.split(' ')) {
    const [address, bits] = network.split('/')
    forbidden[family].addSubnet(address, Number(bits), family)
  }

const thisMachine = /^(localhost|127(\.\d{1,3}){3})$/

/** @returns why requests are not sent there; undefined: they are */
export function refusalOf(text: string, targets: WebhookTargets): string | undefined {
  if (!URL.canParse(text)) return 'webhook.url is no URL'
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return 'webhook.url has no user in it'
  if (thisMachine.test(hostname)) {
    if (targets === 'local' && protocol === 'http:') return undefined
    return 'webhook.url leads to the machine of the server'
  }
  if (protocol !== 'https:') return 'webhook.url begins with https:'
  const address = hostname.replace(/^\[|\]$/g, '')
  return isPublic(address) ? undefined : 'webhook.url leads to an address that is not public'
}

/** For a request to what was allowed: fails where the name leads elsewhere by now. */
export function lookupOf(hostname: string): LookupFunction | undefined {
  if (thisMachine.test(hostname)) return undefined
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      const refused = addresses?.find(({ address }) => !isPublic(address))
      if (error !== null || refused !== undefined)
        callback(error ?? new Error(`${name} leads to ${refused?.address}, which is not public`), '', 0)
      else if (options.all) callback(null, addresses)
      else callback(null, addresses[0].address, addresses[0].family)
    })
  }
}

/** Of a name nothing is known here. */
function isPublic(address: string): boolean {
  if (isIP(address) === 0) return true
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  return !forbidden[family].check(address, family)
}
