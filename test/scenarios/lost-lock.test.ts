/** The files that an owner has locked are removed or replaced under it: two owners never write to one log. */
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, contentOf, openLog, small, start, temporaryFolder } from './support.js'

/** Another file under the same name. */
function replace(file: string): void {
  copyFileSync(file, `${file}.copy`)
  renameSync(`${file}.copy`, file)
}

const text = ({ value }: { value: Uint8Array }) => Buffer.from(value).toString()

it('with one of its files removed or replaced the log still has one owner, and that one writes nothing more', async () => {
  for (const lose of [
    (directory: string) => rmSync(path.join(directory, 'lock')),
    (directory: string) => replace(path.join(directory, 'lock')),
    (directory: string) => replace(path.join(directory, 'control')),
  ]) {
    const directory = temporaryFolder()
    const log = await openLog(directory)
    for (let count = 0; count < 3; count++) await log.topic('t').append(Buffer.from(`mine ${count}`))
    lose(directory)
    expect((await codedFailureOf(() => open(directory, small))).code).toBe('BOOKEND_LOCKED')
    const error = await codedFailureOf(async () => {
      await log.topic('t').append(Buffer.from('mine 3'), { durability: 'disk' })
    })
    expect(error).toMatchObject({ code: 'BOOKEND_LOCKED', file: directory })
    for (const call of [() => log.topic('t').append(new Uint8Array(1)), () => log.topic('t').trim(1)])
      expect((await codedFailureOf(call)).code).toBe('BOOKEND_LOCKED')
    expect((await collect(log.topic('t').read())).slice(0, 3).map(text)).toEqual(['mine 0', 'mine 1', 'mine 2'])
    const before = contentOf(directory)
    await log.close()
    expect(contentOf(directory)).toEqual(before)
    const next = await openLog(directory)
    expect((await collect(next.topic('t').read())).map(text)).toEqual(['mine 0', 'mine 1', 'mine 2'])
    expect(next.stats().recovery.damages).toEqual([])
    await next.close()
  }
})

it('an owner that was stopped, and goes on when another has the log, writes nothing into it', async () => {
  const directory = temporaryFolder()
  const child = start('appends-until-refused.mjs', [directory])
  await child.says('ready')
  child.process.kill('SIGSTOP')
  rmSync(path.join(directory, 'lock'))
  replace(path.join(directory, 'control'))
  const log = await openLog(directory)
  const before = (await collect(log.topic('t').read())).map(text)
  for (let count = 0; count < 5; count++) await log.topic('t').append(Buffer.from(`mine ${count}`))
  child.process.kill('SIGCONT')
  const { output, errors } = await child.ended
  const { codes, count } = JSON.parse(output.trim().split('\n').at(-1) as string) as { codes: string[]; count: number }
  expect({ codes: new Set(codes), errors }).toEqual({ codes: new Set(['BOOKEND_LOCKED']), errors: '' })
  // What it was told is written was there before the other opened the log.
  expect(before.slice(0, count)).toEqual(Array.from({ length: count }, (_, index) => `child ${index}`))
  for (let more = 5; more < 10; more++) await log.topic('t').append(Buffer.from(`mine ${more}`))
  await log.close()
  const next = await openLog(directory)
  const mine = Array.from({ length: 10 }, (_, index) => `mine ${index}`)
  expect((await collect(next.topic('t').read())).map(text)).toEqual([...before, ...mine])
  expect(next.stats().recovery.damages).toEqual([])
  await next.close()
})
