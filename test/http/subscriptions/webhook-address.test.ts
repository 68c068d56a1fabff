import { expect, it } from 'vitest'
import { lookupOf, refusalOf } from '../../../src/http/subscriptions/webhook-address.js'

it('webhooks are at public addresses, over TLS', () => {
  for (const url of ['https://example.org/hook', 'https://8.8.8.8/', 'https://[2606:4700::1111]/'])
    expect(refusalOf(url, 'public'), url).toBeUndefined()
  const hosts = ['10.0.0.1', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1']
  hosts.push('127.0.0.1', 'localhost', '2130706433', '0x7f.1', '017700000001', '255.255.255.255')
  hosts.push('[::1]', '[::]', '[::ffff:10.0.0.1]', '[fd00::1]', '[fe80::1]', '[2002:a00:1::]', '[64:ff9b::a00:1]')
  for (const host of hosts) expect(refusalOf(`https://${host}/`, 'public'), host).toBeTypeOf('string')
  for (const url of ['http://example.org/', 'ftp://example.org/', 'https://user@example.org/', 'no URL'])
    expect(refusalOf(url, 'public'), url).toBeTypeOf('string')
})

it('on this machine where it was asked for, and nowhere else', () => {
  expect(refusalOf('http://127.0.0.1:8080/hook', 'local')).toBeUndefined()
  expect(refusalOf('http://localhost/hook', 'local')).toBeUndefined()
  for (const url of ['http://10.0.0.1/', 'http://example.org/', 'https://169.254.169.254/'])
    expect(refusalOf(url, 'local'), url).toBeTypeOf('string')
})

it('a name that leads to this machine by now is not followed', async () => {
  const lookup = lookupOf('example.org')
  const error = await new Promise((resolve) => lookup?.('localhost', {}, resolve))
  expect(String(error)).toContain('which is not public')
})
