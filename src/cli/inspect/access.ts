/**
 * Who may ask. The page is for the person who started the command: whoever has the token, which the printed URL carries. Other users of the machine,
 * and other pages in the same browser, reach the port as well; so the token is asked for in every request, a name that a stranger may
 * have pointed at 127.0.0.1 is refused, and what changes something must come from the page itself.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const tokenBytes = 24

export type Admission = 'granted' | 'no token' | 'wrong host' | 'wrong origin'

export class Doorkeeper {
  readonly #token = randomBytes(tokenBytes).toString('base64url')
  readonly #hosts: ReadonlySet<string>
  readonly #cookie: string

  /** @param port cookies are of a host whatever its port, so their name tells two inspectors apart */
  constructor(port: number) {
    this.#hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`])
    this.#cookie = `bookend-inspect-${port}`
  }

  /** To open in a browser. */
  urlOf(port: number): string {
    return `http://127.0.0.1:${port}/?token=${this.#token}`
  }

  /** Keeps the token out of the address bar from then on. */
  get cookie(): string {
    return `${this.#cookie}=${this.#token}; Path=/; HttpOnly; SameSite=Strict`
  }

  /** The token stands in the URL: the browser is to keep it elsewhere. */
  isEntry(url: URL): boolean {
    return this.#isToken(url.searchParams.get('token') ?? undefined)
  }

  judge(request: IncomingMessage, url: URL): Admission {
    const { host, origin, authorization, cookie } = request.headers
    if (host === undefined || !this.#hosts.has(host)) return 'wrong host'
    const given = url.searchParams.get('token') ?? bearerOf(authorization) ?? cookieOf(cookie, this.#cookie)
    if (!this.#isToken(given)) return 'no token'
    const isForeign = origin !== undefined && !this.#hosts.has(origin.replace(/^http:\/\//, ''))
    return isForeign ? 'wrong origin' : 'granted'
  }

  #isToken(given: string | undefined): boolean {
    if (given === undefined) return false
    const [a, b] = [Buffer.from(given), Buffer.from(this.#token)]
    return a.length === b.length && timingSafeEqual(a, b)
  }
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer (\S+)$/.exec(header ?? '')?.[1]
}

function cookieOf(header: string | undefined, name: string): string | undefined {
  return header
    ?.split(';')
    .map((part) => part.trim().split('='))
    .find(([key]) => key === name)?.[1]
}
