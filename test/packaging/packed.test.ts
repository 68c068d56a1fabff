import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { assetPaths } from '../../src/cli/inspect/assets.js'
import { isMappable } from '../../src/memory/file-system.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const applicationFiles = fileURLToPath(new URL('./application/', import.meta.url))
const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
/** Of TypeScript. */
const oldest = '5.4'
const compilers = [oldest, '5.9']
/** Of each command, for hangs: to pack takes half a minute of processor time, and some machines have much else to do. */
const timeoutMs = 600_000

let folder: string
let packedPaths: string[]
/** Without install scripts, as npm 12 installs: mmap-io is not built. */
let withoutScripts: string
/** Without optional packages, and so without koffi's binaries too: no native part at all. */
let withoutOptional: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bookend-packed-'))
  const { filename, files } = await pack()
  packedPaths = files.map(({ path }) => path)
  const tarball = join(folder, filename)
  ;[withoutScripts, withoutOptional] = await Promise.all([
    install(tarball, 'without-scripts'),
    install(tarball, 'without-optional', '--omit=optional'),
    installCompilers(),
  ])
  // The package, then the applications.
}, 2 * timeoutMs)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('the package holds the library and its documents, and nothing else', () => {
  const code =
    /^dist\/((src|workers|bench)\/.+\.js|workers\/\w+\.cjs|src\/chunks\/.+\.cjs|bench\/index\.d\.ts|src\/(((observe|http|jetstream)\/)?index|shared-types)\.d\.ts)$/
  const beside =
    /^(docs\/.+|src\/cli\/inspect\/page\/\w+\.css|bench\/(java\/.+\.(java|xml)|package\.json|page\/.+)|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/
  expect(packedPaths.filter((path) => !code.test(path) && !beside.test(path))).toEqual([])
  const entries = ['dist/src/index.js', 'dist/src/index.d.ts']
  const workers = [
    'dist/workers/writer.cjs',
    'dist/workers/reader.js',
    'dist/workers/reaper.cjs',
    'dist/workers/pool.cjs',
  ]
  expect(packedPaths).toEqual(expect.arrayContaining([...entries, ...workers]))
})

it('nothing of NATS is installed or loaded where it is not asked for, and then what is missing is named', async () => {
  for (const application of [withoutScripts, withoutOptional]) {
    expect(readdirSync(join(application, 'node_modules'))).not.toContain('@nats-io')
    const program = "await import('bookend/jetstream').catch(({ code, message }) => console.log(code, message))"
    const { stdout } = await run(application, process.execPath, '--input-type=module', '-e', program)
    expect(stdout).toMatch(/^ERR_MODULE_NOT_FOUND .*@nats-io/)
  }
})

it('the package holds no output of a source that is gone', () => {
  expect(packedPaths.filter((path) => path.includes('removed'))).toEqual([])
})

it('an application works where no install script ran', async () => {
  const io = isMappable(folder) ? 'koffi' : 'file'
  expect(await runApplication(withoutScripts)).toEqual({ ...report, io })
})

it('an application works without any native part', async () => {
  expect(await runApplication(withoutOptional)).toEqual({ ...report, io: 'file' })
  // Said once, and only where nobody has asked for it.
  const program = (options: string) =>
    `const { open } = await import('bookend'); for (const name of ['a', 'b']) await (await open(name, ${options})).close()`
  const warned = async (application: string, options: string) => {
    const { stderr } = await run(application, process.execPath, '--input-type=module', '-e', program(options))
    return [...stderr.matchAll(/BOOKEND_NO_NATIVE/g)].length
  }
  expect(await warned(withoutOptional, '{}')).toBe(1)
  expect(await warned(withoutOptional, "{ io: 'file' }")).toBe(0)
  expect(await warned(withoutScripts, '{}')).toBe(0)
})

it('brings the bookend command, with or without native parts', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  for (const application of [withoutScripts, withoutOptional]) {
    const command = join(application, 'node_modules', '.bin', 'bookend')
    expect((await run(application, command, '--version')).stdout).toBe(`${version}\n`)
    const log = join(application, 'log')
    expect((await run(application, command, 'verify', log)).stdout).toContain('No damage.')
    expect((await run(application, command, 'stat', log)).stdout).toContain('closed in order')
    expect((await run(application, command, 'pages', log)).stdout).toContain('active')
  }
})

it('brings every file of the page of bookend inspect, with or without native parts', async () => {
  for (const application of [withoutScripts, withoutOptional]) {
    const command = join(application, 'node_modules', '.bin', 'bookend')
    const inspector = spawn(command, ['inspect', join(application, 'log')], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const lines = createInterface(inspector.stdout)
      const [url] = (await Promise.race([once(lines, 'line'), once(lines, 'close')])) as [string]
      const headers = { authorization: `Bearer ${new URL(url).searchParams.get('token')}` }
      const found = await Promise.all(
        assetPaths.map(async (path) => (await fetch(new URL(path, url), { headers })).status),
      )
      expect(new Set(found)).toEqual(new Set([200]))
    } finally {
      inspector.kill('SIGINT')
      await once(inspector, 'exit')
    }
  }
})

it('its modules are a few files, and what is loaded by its place is there', () => {
  const modules = packedPaths.filter((path) => /^dist\/(src|workers)\/.*\.js$/.test(path) && !path.includes('/page/'))
  expect(modules.length).toBeLessThan(80)
  const code = join(withoutScripts, 'node_modules', 'bookend')
  const places = modules.flatMap((name) => {
    const text = readFileSync(join(code, name), 'utf8')
    return Array.from(
      text.matchAll(/new URL\('(\.[^']+)', new URL\("([^"]+)", import\.meta\.url\)/g),
      ([, place, from]) => join(dirname(name), dirname(from), place),
    )
  })
  expect(places.length).toBeGreaterThan(5)
  expect(places.filter((place) => !packedPaths.includes(place))).toEqual([])
})

it('a CommonJS application can require it', async () => {
  const { stdout, stderr } = await run(withoutScripts, process.execPath, 'required.cjs')
  expect({ stdout, stderr }).toEqual({ stdout: 'function function\n', stderr: '' })
})

it.each([...compilers, 'of this project'])(
  'a strict application compiles against its types with TypeScript %s',
  async (version) => {
    const typeRoots = join(root, 'node_modules', '@types')
    const place = version === 'of this project' ? join(root, 'node_modules', 'typescript') : compilerOf(version)
    const compiler = join(place, 'bin', 'tsc')
    const { stdout } = await run(withoutScripts, process.execPath, compiler, '-p', '.', '--typeRoots', typeRoots)
    expect(stdout).toBe('')
  },
  timeoutMs,
)

it('the oldest TypeScript that is tested is the one that the README names', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`TypeScript ${oldest} or later`)
})

it('the types are a file for each entry and one that they share, with the comments of the public face and without what is private', () => {
  const folder = join(withoutScripts, 'node_modules', 'bookend', 'dist', 'src')
  const names = ['index.d.ts', 'observe/index.d.ts', 'shared-types.d.ts']
  const types = names.map((name) => readFileSync(join(folder, name), 'utf8')).join('')
  expect(types).toContain('Any JSON value, as UTF-8 text.')
  const foreign = [...types.matchAll(/\bimport\b.*\bfrom '(.+)'/g)]
    .map(([, from]) => from)
    .filter((from) => !/^(\.|node:)/.test(from))
  expect(foreign).toEqual([])
  expect(types).not.toMatch(/SharedState|SlotTable/)
})

it(
  'the benchmark runs from the package, and fetches what it needs into the cache of the user',
  async () => {
    const main = join('node_modules', 'bookend', 'dist', 'bench', 'main.js')
    const cache = join(folder, 'cache')
    const before = readdirSync(join(withoutScripts, 'node_modules', 'bookend'), { recursive: true }).length
    const sizes = ['--messages', '500', '--rounds', '1', '--sizes', '100']
    const args = [
      main,
      '--only',
      'append,latency',
      ...sizes,
      '--peers',
      'write-sync',
      '--dir',
      folder,
      '--html',
      'page.html',
      '--json',
      'report.json',
    ]
    const env = { ...process.env, XDG_CACHE_HOME: cache }
    const options = { cwd: withoutScripts, timeout: timeoutMs, env }
    const { stdout } = await promisify(execFile)(process.execPath, args, options)
    const verb = [join('node_modules', '.bin', 'bookend'), 'bench', '--from', 'report.json']
    expect((await promisify(execFile)(process.execPath, verb, options)).stdout).toMatch(/\| 100 B \| .*\/s/)
    expect(stdout).toMatch(/\| 100 B \| .*\/s/)
    expect(readFileSync(join(withoutScripts, 'page.html'), 'utf8')).toContain('uPlot')
    expect(readdirSync(join(cache, 'bookend', 'bench-peers'))).toHaveLength(1)
    expect(readdirSync(join(withoutScripts, 'node_modules', 'bookend'), { recursive: true }).length).toBe(before)
  },
  timeoutMs,
)

it('without what it needs and may not fetch, the benchmark says so without a stack', async () => {
  const command = join(withoutScripts, 'node_modules', '.bin', 'bookend')
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'empty-cache') }
  const options = { cwd: withoutScripts, timeout: timeoutMs, env }
  const failure = promisify(execFile)(command, ['bench', '--smoke', '--no-install'], options).catch((error) => error)
  const { stderr, code } = await failure
  expect(code).toBe(1)
  expect(stderr).toMatch(/^bookend: the benchmark needs hdr-histogram-js, .*\n$/)
})

const report = { offset: 0, bulk: { first: 1, count: 999 }, read: 1000, scanned: 1000, reopened: 1000 }

async function runApplication(application: string): Promise<unknown> {
  const { stdout } = await run(application, process.execPath, 'main.js', join(application, 'log'))
  return JSON.parse(stdout)
}

/** Packs a copy: packing cleans and builds dist/, and the other tests are running from the one of the original. */
async function pack(): Promise<{ filename: string; files: { path: string }[] }> {
  const copy = join(folder, 'copy')
  const left = ['.git', 'node_modules', 'dist', 'test', 'bench/.peers'].map((name) => join(root, name))
  cpSync(root, copy, { recursive: true, filter: (source) => !left.includes(source) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const name of ['dist/src/removed.js', 'dist/bench/removed.js', 'test/removed.test.ts']) {
    mkdirSync(dirname(join(copy, name)), { recursive: true })
    writeFileSync(join(copy, name), 'export {}\n')
  }
  const { stdout } = await npm(copy, 'pack', '--json', '--pack-destination', folder)
  // What the scripts print comes before the report.
  const reports = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as Awaited<ReturnType<typeof pack>>[]
  return reports[0]
}

/** A new application with the package in it. Nothing of the project's own node_modules can be found from there. */
async function install(tarball: string, name: string, ...options: string[]): Promise<string> {
  const application = join(folder, name)
  cpSync(applicationFiles, application, { recursive: true })
  writeFileSync(join(application, 'package.json'), '{ "private": true, "type": "module" }\n')
  await npm(application, 'install', tarball, ...quietly, ...options)
  return application
}

async function installCompilers(): Promise<void> {
  const place = join(folder, 'compilers')
  mkdirSync(place)
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n')
  const packages = compilers.map((version) => `typescript-${version}@npm:typescript@~${version}.0`)
  await npm(place, 'install', ...packages, ...quietly)
}

function compilerOf(version: string): string {
  return join(folder, 'compilers', 'node_modules', `typescript-${version}`)
}

function npm(directory: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(directory, 'npm', ...args)
}

/** What the command said on its standard output, where compilers complain, is part of the error. */
async function run(directory: string, command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const options = { cwd: directory, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }
  return promisify(execFile)(command, args, options).catch((failure: Error & { stdout: string }) => {
    failure.message += failure.stdout
    throw failure
  })
}
