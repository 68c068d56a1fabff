import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { bookend, closedLog, commandFile, temporaryFolder } from './command.js'

/** What is proposed, and what the shell may add. */
async function proposed(...words: string[]): Promise<{ values: string[]; directive: string }> {
  const { status, out, errors } = await bookend(['complete', '--', ...words])
  expect([status, errors]).toEqual([0, ''])
  const lines = out.trimEnd().split('\n')
  return { values: lines.slice(0, -1).map((line) => line.split('\t')[0]!), directive: lines.at(-1)! }
}

const nothing = ':4'
const directories = ':16'

it('verbs are completed, and what is for the shell alone is not', async () => {
  expect(await proposed('ta')).toEqual({ values: ['tail'], directive: nothing })
  const { values } = await proposed('')
  expect(values).toEqual(expect.arrayContaining(['topics', 'completion']))
  expect(values).not.toContain('complete')
})

it('directories, topics, options and choices stand where a verb takes them', async () => {
  const log = await closedLog()
  expect(await proposed('tail', './')).toEqual({ values: [], directive: directories })
  expect(await proposed('tail', log, '')).toEqual({ values: ['clicks', 'orders'], directive: nothing })
  expect(await proposed('tail', '--last', '3', log, 'o')).toEqual({ values: ['orders'], directive: nothing })
  expect((await proposed('tail', log, 'orders', '--fo')).values).toEqual(['--follow', '--format'])
  expect((await proposed('append', log, 'orders', '--format', '')).values).toEqual(['lines', 'ndjson'])
  expect((await proposed('completion', 'b')).values).toEqual(['bash'])
})

it('nobody who presses Tab is told that there is no log', async () => {
  expect(await proposed('tail', '/nowhere', '')).toEqual({ values: [], directive: nothing })
  expect(await proposed('nonsense', '')).toEqual({ values: [], directive: nothing })
})

it('the script of bash asks the command, and proposes what it answers', async () => {
  const folder = temporaryFolder()
  const { out: script } = await bookend(['completion', 'bash'])
  mkdirSync(path.join(folder, 'bin'))
  writeFileSync(path.join(folder, 'bin', 'bookend'), `#!/bin/sh\nexec '${process.execPath}' '${commandFile}' "$@"\n`, {
    mode: 0o755,
  })
  symlinkSync(process.execPath, path.join(folder, 'bin', 'node'))
  // Of the package bash-completion one function is called; it need not be installed where the tests run.
  const asked = `
    _get_comp_words_by_ref() { cur=st; prev=bookend; words=(bookend st); cword=1; }
    __ltrimcolon_completions() { :; }
    compopt() { :; }
    ${script}
    __bookend_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`
  const env = { ...process.env, PATH: `${path.join(folder, 'bin')}:${process.env.PATH}` }
  const { stdout } = await promisify(execFile)('bash', ['-c', asked], { env })
  expect(stdout.trim().split(/\s/)[0]).toBe('stat')
})

it.each(['bash', 'zsh', 'fish'])('there is a script for %s', async (shell) => {
  const { status, out } = await bookend(['completion', shell])
  expect(status).toBe(0)
  expect(out).toContain('bookend complete --')
})
