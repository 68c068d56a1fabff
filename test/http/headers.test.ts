import { expect, it } from 'vitest'
import type { RequestHead } from '../../src/http/exchange.js'
import { configIn } from '../../src/http/headers.js'

const asked = (headers: Record<string, string>) => configIn({ header: (name: string) => headers[name] } as RequestHead)

it('a stream expires at a time that there is, and at no day that no month has', () => {
  for (const time of ['2028-02-29T12:00:00Z', '2026-12-31T23:59:59.5+01:00'])
    expect(asked({ 'stream-expires-at': time }).expiresAt).toBe(time)
  for (const time of [
    '2026-02-29T12:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '',
  ])
    expect(() => asked({ 'stream-expires-at': time }), time).toThrow('Stream-Expires-At is a time as in RFC 3339')
})
