import http from 'node:http'
import { expect, it } from 'vitest'
import { bookend, closedLog, temporaryFolder } from '../command.js'
import { inspector } from './inspector.js'

/** `fetch` does not let anybody choose the host. */
function statusWith(origin: string, headers: Record<string, string>, path = '/api/picture'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(`${origin}${path}`, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('error', reject)
  })
}

it('answers nobody without its token, whatever is asked for', async () => {
  const { origin, token } = await inspector(await closedLog())
  for (const path of ['/', '/page/main.js', '/api/picture', '/api/live', '/nothing'])
    expect(await statusWith(origin, {}, path)).toBe(401)
  expect(await statusWith(origin, { authorization: `Bearer ${token.slice(1)}x` })).toBe(401)
  expect(await statusWith(origin, { authorization: `Bearer ${token}` })).toBe(200)
})

it('takes the token out of the address: the page has it in a cookie that scripts cannot read', async () => {
  const { url, origin } = await inspector(await closedLog())
  const entry = await fetch(url, { redirect: 'manual' })
  expect([entry.status, entry.headers.get('location')]).toEqual([303, '/'])
  const given = entry.headers.get('set-cookie') ?? ''
  expect(given).toMatch(/; HttpOnly; SameSite=Strict$/)
  const page = await fetch(origin, { headers: { cookie: given.split(';')[0] } })
  expect(page.status).toBe(200)
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
})

it('refuses a name that somebody else may have pointed at this machine, and what other pages send', async () => {
  const { origin, token } = await inspector(await closedLog(), '--write')
  const authorization = `Bearer ${token}`
  expect(await statusWith(origin, { authorization, host: 'evil.example' })).toBe(403)
  expect(await statusWith(origin, { authorization, origin: 'http://evil.example' })).toBe(403)
  expect(await statusWith(origin, { authorization, origin })).toBe(200)
})

it('serves its own files, and nothing else of the machine', async () => {
  const { origin, token } = await inspector(await closedLog())
  const authorization = `Bearer ${token}`
  const of = (path: string) => statusWith(origin, { authorization }, path)
  expect(await of('/lib/preact.js')).toBe(200)
  expect(await of('/page/page.css')).toBe(200)
  for (const path of ['/page/../server.js', '/page/%2e%2e/server.js', '//etc/passwd', '/page/nothing.js'])
    expect(await of(path)).toBe(404)
})

it('ends with Ctrl-C, also while a page looks; and says what it cannot do before it begins', async () => {
  const running = await inspector(await closedLog())
  const live = await fetch(`${running.origin}/api/live?token=${running.token}`)
  await live.body?.getReader().read()
  expect(await running.end()).toBe(0)

  const none = await bookend(['inspect', temporaryFolder()])
  expect(none).toMatchObject({ status: 1, out: '' })
  expect(none.errors).toContain('BOOKEND_FORMAT')
  expect((await bookend(['inspect', '.', '--port', '70000'])).status).toBe(2)
})
