/**
 * Values encrypted one by one, as a codec: in the ring, on the disk, in backups and for followers there is nothing else of them. Keys, headers,
 * topics and times of messages stay legible.
 *
 * ```
 *   idLength u8 | id (UTF-8) | nonce, 12 bytes | ciphertext | tag, 16 bytes
 * ```
 *
 * AES-256-GCM. The id is authenticated with the value, so that a value cannot be said to be of another key.
 */
import type { Codec } from './codec.js'

/** The keys of {@link encrypted}, of 32 bytes each, by their ids: 1 to 255 bytes of UTF-8. */
export interface KeyRing<T = unknown> {
  /**
   * The id of the key that values are encrypted with from now on; or which one for a value: its customer's, say, so that deleting that
   * key makes all that was ever stored of the customer illegible, in backups as well. Looked at for each value.
   */
  current: string | ((value: T) => string)
  /** A `Map`, something of your own, or a plain object. Looked at for each value: what is deleted there is gone. */
  keys: KeyStore | Readonly<Record<string, Uint8Array>>
}

/** Where keys are looked up: a `Map` is one. */
export interface KeyStore {
  /** The key with that id; undefined: there is none, or none any more. */
  get(id: string): Uint8Array | undefined
}

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const maxIdBytes = 255

/** Nonces are taken from here: a call for each would cost more than the rest. */
const pool = Buffer.alloc(nonceBytes * 256)
let poolAt = pool.length

/**
 * A codec that encrypts what another one makes of values, each with a key of the ring and a nonce of its own at random. A value gets
 * 29 bytes longer, and the bytes of the key's id. Give a topic another key before 2^32 values were encrypted with one.
 *
 * Of a value whose key is not in the ring any more, or that is not what was written, `decode` throws: `BOOKEND_DECODE`.
 * @throws TypeError if `codec` is no codec, or `keyRing` no ring. Later on, from the append: TypeError if the current key is not in
 *   the ring, RangeError if it is not of 32 bytes, or its id not of 1 to 255. Nothing was written then.
 */
export function encrypted<T>(codec: Codec<T>, keyRing: KeyRing<T>): Codec<T> {
  if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
    throw new TypeError('encrypted() takes a codec: an object with the functions encode and decode')
  }
  const { current, keys } = keyRing ?? {}
  if ((typeof current !== 'string' && typeof current !== 'function') || typeof keys !== 'object' || keys === null) {
    throw new TypeError('a key ring has `current`, an id or a function, and `keys`, a Map or an object of keys by id')
  }
  // Not imported: most programs encrypt nothing, and it takes 5 MB and 7 ms of whoever loads it first.
  const { createCipheriv, createDecipheriv, randomFillSync } = process.getBuiltinModule('node:crypto')
  return {
    encode(value) {
      const id = typeof keyRing.current === 'string' ? keyRing.current : keyRing.current(value)
      const head = headOf(id)
      const key = keyOf(keyRing, id)
      if (key === undefined) throw new TypeError(`the key ring has no key with the id ${JSON.stringify(id)}`)
      const nonce = nextNonce(randomFillSync)
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(head)
      const body = cipher.update(codec.encode(value))
      cipher.final()
      return Buffer.concat([head, nonce, body, cipher.getAuthTag()])
    },
    decode(bytes) {
      const idEnd = 1 + (bytes[0] ?? 0)
      const bodyAt = idEnd + nonceBytes
      const bodyEnd = bytes.length - tagBytes
      if (idEnd === 1 || bodyEnd < bodyAt) throw new Error('the value is too short to be an encrypted one')
      const id = Buffer.from(bytes.buffer, bytes.byteOffset + 1, idEnd - 1).toString('utf8')
      const key = keyOf(keyRing, id)
      if (key === undefined) {
        throw new Error(`the value is encrypted with the key ${JSON.stringify(id)}, which is not in the key ring`)
      }
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(idEnd, bodyAt))
      decipher.setAAD(bytes.subarray(0, idEnd)).setAuthTag(bytes.subarray(bodyEnd))
      const body = decipher.update(bytes.subarray(bodyAt, bodyEnd))
      // Before anything of it is looked at: it throws where the value is not what was written.
      try {
        decipher.final()
      } catch (cause) {
        const what = `the value is not what was encrypted with the key ${JSON.stringify(id)}`
        throw new Error(`${what}: it was changed, or another key has that id now`, { cause })
      }
      return codec.decode(new Uint8Array(body.buffer, body.byteOffset, body.length))
    },
  }
}

function headOf(id: unknown): Buffer {
  if (typeof id !== 'string') throw new TypeError(`the id of a key is a string, not ${typeof id}`)
  const length = Buffer.byteLength(id)
  if (length < 1 || length > maxIdBytes)
    throw new RangeError(`the id of a key has 1 to ${maxIdBytes} bytes, not ${length}`)
  const head = Buffer.allocUnsafe(1 + length)
  head[0] = length
  head.write(id, 1, 'utf8')
  return head
}

function keyOf<T>({ keys }: KeyRing<T>, id: string): Uint8Array | undefined {
  const get = (keys as { get?: unknown }).get
  const key =
    typeof get === 'function'
      ? (get.call(keys, id) as unknown)
      : Object.hasOwn(keys, id)
        ? (keys as Record<string, unknown>)[id]
        : undefined
  if (key === undefined) return undefined
  if (!(key instanceof Uint8Array)) throw new TypeError(`the key ${JSON.stringify(id)} is no Uint8Array`)
  if (key.length !== keyBytes)
    throw new RangeError(`the key ${JSON.stringify(id)} has ${key.length} bytes, not ${keyBytes}`)
  return key
}

/** Good until the next one. */
function nextNonce(fill: (pool: Buffer) => unknown): Buffer {
  if (poolAt === pool.length) {
    fill(pool)
    poolAt = 0
  }
  poolAt += nonceBytes
  return pool.subarray(poolAt - nonceBytes, poolAt)
}
