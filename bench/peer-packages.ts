import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this benchmark's sources, seen from the compiled file in dist/bench. */
const benchDirectory = fileURLToPath(new URL('../../bench/', import.meta.url))
/** In a checkout beside the sources; an installed package keeps its own folder as it came, and uses the user's cache. */
const isCheckout = existsSync(join(benchDirectory, 'tsconfig.json'))
const cacheDirectory = join(process.env.XDG_CACHE_HOME ?? join(os.homedir(), '.cache'), 'bookend', 'bench-peers')
const peersDirectory = isCheckout ? join(benchDirectory, '.peers') : cacheDirectory
/** What a package needs beside it, and does not bring along. */
const companions: Readonly<Record<string, readonly string[]>> = { bullmq: ['ioredis'] }
const installTimeoutMs = 15 * 60_000

/** Loads the native part, which some packages only do on first use. */
const probes: Readonly<Record<string, string>> = {
  lmdb: "require('lmdb').open({ path: require('node:fs').mkdtempSync(require('node:os').tmpdir() + '/probe-') }).close()",
  'better-sqlite3': "new (require('better-sqlite3'))(':memory:').close()",
}

/** Where peers are installed. It ignores itself, so that a `git add` never takes one along, whatever the root's .gitignore says. */
export function providePeersDirectory(): string {
  mkdirSync(peersDirectory, { recursive: true })
  if (isCheckout) writeFileSync(join(peersDirectory, '.gitignore'), '*\n')
  return peersDirectory
}

/** Where a peer is installed, or why it is not. */
export type PeerPackage =
  | { readonly isAvailable: true; readonly directory: string; readonly version: string }
  | { readonly isAvailable: false; readonly reason: string }

/** Requires a package out of a folder of its own, so that it never becomes a dependency of the root. */
export function requirePackage<T>(directory: string, name: string): T {
  return createRequire(join(directory, 'package.json'))(name) as T
}

/**
 * Finds a peer's package for the Node that runs, installing it first where that is allowed. One folder per peer, so
 * that one that does not build does not take the others along, and per ABI, so that several Nodes share a checkout.
 */
export function providePeer(name: string, mayInstall: boolean, progress: (line: string) => void): PeerPackage {
  const target = `${process.platform}-${process.arch}-${process.versions.modules}`
  const directory = join(providePeersDirectory(), target, name)
  if (probe(directory, name) === undefined) return available(directory, name)
  if (!mayInstall)
    return { isAvailable: false, reason: 'not installed (a run without --no-install and --smoke installs it)' }
  progress(`installing ${name} into ${directory} (compiles where there is no prebuilt binary)`)
  const failure = install(directory, name) ?? probe(directory, name)
  return failure === undefined ? available(directory, name) : { isAvailable: false, reason: failure }
}

function available(directory: string, name: string): PeerPackage {
  const manifest = join(directory, 'node_modules', name, 'package.json')
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  return { isAvailable: true, directory, version }
}

/** Loads the package in a process of its own; returns why it does not load. */
function probe(directory: string, name: string): string | undefined {
  if (!existsSync(join(directory, 'node_modules', name))) return 'not installed'
  const child = spawnSync(process.execPath, ['-e', probes[name] ?? `require('${name}')`], {
    cwd: directory,
    encoding: 'utf8',
  })
  return child.status === 0 ? undefined : lastErrorLine(child.stderr)
}

/** Installs one package with npm; returns why it failed. */
function install(directory: string, name: string): string | undefined {
  const { dependencies } = JSON.parse(readFileSync(join(benchDirectory, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  mkdirSync(directory, { recursive: true })
  const manifest = {
    private: true,
    dependencies: Object.fromEntries([name, ...(companions[name] ?? [])].map((each) => [each, dependencies[each]])),
    // npm 12 runs no install script that is not named here, and would leave the binding unbuilt without an error.
    allowScripts: { [name]: true },
  }
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  const child = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
    cwd: directory,
    encoding: 'utf8',
    env: buildEnvironment(),
    timeout: installTimeoutMs,
  })
  if (child.error !== undefined) return `npm install: ${child.error.message}`
  return child.status === 0 ? undefined : `npm install: ${lastErrorLine(child.stderr)}`
}

/** npm and node-gyp must use the Node that runs here, and its own headers: they cannot always be downloaded. */
function buildEnvironment(): NodeJS.ProcessEnv {
  const binDirectory = dirname(process.execPath)
  const nodeDirectory = dirname(binDirectory)
  const hasHeaders = existsSync(join(nodeDirectory, 'include', 'node', 'node.h'))
  return {
    ...process.env,
    PATH: `${binDirectory}${delimiter}${process.env.PATH ?? ''}`,
    ...(hasHeaders ? { npm_config_nodedir: nodeDirectory } : {}),
  }
}

/** The line that says most in the output of npm, node-gyp or a stack trace: the last one that names an error. */
function lastErrorLine(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines.filter((line) => /err/i.test(line) && !/complete log/i.test(line)).at(-1) ?? lines.at(-1) ?? 'no output'
}
