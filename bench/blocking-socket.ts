/** Connected sockets that block, for system calls on their descriptors: those of Node's own `net` do not. */
import koffi from 'koffi'

const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)')
const connect = libc.func('int connect(int, const uint8_t *, unsigned int)')

const familyUnix = 1
const familyInternet = 2
const stream = 1
/** struct sockaddr_un: the family, then the path with a zero behind it. */
const unixAddressBytes = 110
const internetAddressBytes = 16

export function connectUnix(path: string): number {
  const address = Buffer.alloc(unixAddressBytes)
  address.writeUInt16LE(familyUnix, 0)
  if (Buffer.byteLength(path) > unixAddressBytes - 3)
    throw new Error(`${path} is too long for a socket: use a shorter --dir`)
  address.write(path, 2)
  return connected(familyUnix, address)
}

/** To this machine. */
export function connectTcp(port: number): number {
  const address = Buffer.alloc(internetAddressBytes)
  address.writeUInt16LE(familyInternet, 0)
  // Network order.
  address.writeUInt16BE(port, 2)
  address.set([127, 0, 0, 1], 4)
  return connected(familyInternet, address)
}

function connected(family: number, address: Buffer): number {
  const descriptor: number = socket(family, stream, 0)
  if (descriptor < 0) throw new Error(`socket failed, errno ${koffi.errno()}`)
  if (connect(descriptor, address, address.length) !== 0) throw new Error(`connect failed, errno ${koffi.errno()}`)
  return descriptor
}
