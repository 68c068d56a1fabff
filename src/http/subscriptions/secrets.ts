/** What proves who speaks: signatures under what is sent to webhooks, and tokens for who is woken. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  randomBytes,
  sign,
  timingSafeEqual,
} from 'node:crypto'

/** As it is kept in the log. */
export interface StoredSecrets {
  /** Ed25519, as a JWK with its private part. */
  readonly signing: JsonWebKey
  /** base64url. */
  readonly tokens: string
}

/** A public key, as receivers look it up. */
export interface SigningKey {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

/** What a token says. */
export interface TokenPlace {
  readonly subscription: string
  readonly generation: number
}

/** The lease of who holds one ends long before. */
const tokenSeconds = 24 * 3_600

export function newSecrets(): StoredSecrets {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { signing: privateKey.export({ format: 'jwk' }), tokens: randomBytes(32).toString('base64url') }
}

export function signingKeyOf({ signing }: StoredSecrets): SigningKey {
  const { x = '' } = createPublicKey({ key: signing, format: 'jwk' }).export({ format: 'jwk' })
  // The thumbprint of RFC 7638: the name of a key comes from the key.
  const thumbprint = createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url')
  return { kty: 'OKP', crv: 'Ed25519', x, kid: `ds_${thumbprint}`, use: 'sig', alg: 'EdDSA' }
}

/** Value of `Webhook-Signature`. @param now wall clock, ms */
export function signatureOf(secrets: StoredSecrets, body: string, now: number): string {
  const seconds = Math.floor(now / 1_000)
  const key = createPrivateKey({ key: secrets.signing, format: 'jwk' })
  const signature = sign(null, Buffer.from(`${seconds}.${body}`), key).toString('base64url')
  return `t=${seconds},kid=${signingKeyOf(secrets).kid},ed25519=${signature}`
}

/** @param now wall clock, ms */
export function tokenOf(secrets: StoredSecrets, { subscription, generation }: TokenPlace, now: number): string {
  const claims = { sub: subscription, gen: generation, exp: Math.floor(now / 1_000) + tokenSeconds }
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${payload}.${macOf(secrets, payload)}`
}

/** @returns undefined: it is none of ours, or too old */
export function placeIn(secrets: StoredSecrets, token: string, now: number): TokenPlace | undefined {
  const [payload = '', mac = '', ...rest] = token.split('.')
  const [given, right] = [Buffer.from(mac), Buffer.from(macOf(secrets, payload))]
  if (rest.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined
  // Ours: it says what we have written.
  const { sub, gen, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return exp * 1_000 > now ? { subscription: sub, generation: gen } : undefined
}

function macOf({ tokens }: StoredSecrets, payload: string): string {
  return createHmac('sha256', Buffer.from(tokens, 'base64url')).update(payload).digest('base64url')
}
