/** Peers in Java: their store from Maven Central and our adapter (`java/`), compiled with the JDK that is here. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type PeerPackage, providePeersDirectory } from './peer-packages.js'

/** The sources, seen from the compiled file in dist/bench. */
const sources = fileURLToPath(new URL('../../bench/java/', import.meta.url))
const leastJava = 17
const limitMs = 10 * 60_000
const notHere = 'not installed (a run without --no-install and --smoke installs it)'

/** Finds a peer and compiles its adapter, installing it first where that is allowed. */
export function provideJavaPeer(name: string, mayInstall: boolean, progress: (line: string) => void): PeerPackage {
  const missing = missingTool()
  if (missing !== undefined) return { isAvailable: false, reason: missing }
  const directory = join(providePeersDirectory(), 'java', name)
  const pom = readFileSync(join(sources, name, 'pom.xml'), 'utf8')
  const installed = join(directory, 'pom.xml')
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== pom) {
    if (!mayInstall) return { isAvailable: false, reason: notHere }
    progress(`installing ${name} into ${directory} (Maven Central)`)
    mkdirSync(directory, { recursive: true })
    const copy = ['-q', '-B', '-f', join(sources, name, 'pom.xml'), 'dependency:copy-dependencies']
    const failure = run('mvn', [...copy, `-DoutputDirectory=${join(directory, 'lib')}`])
    if (failure !== undefined) return { isAvailable: false, reason: `mvn: ${failure}` }
    // Last: what is written here says that all of it is there.
    writeFileSync(installed, pom)
  }
  const failure = compileJava([sources, join(sources, name)], classPathOf(directory), join(directory, 'classes'))
  if (failure !== undefined) return { isAvailable: false, reason: `javac: ${failure}` }
  return { isAvailable: true, directory, version: /<version>([^<]+)<\/version>\s*<\/dependency>/.exec(pom)![1]! }
}

export function classPathOf(directory: string): string {
  return [join(directory, 'classes'), join(directory, 'lib', '*')].join(delimiter)
}

/** Compiles what stands in the folders; returns why it failed. */
export function compileJava(folders: readonly string[], classPath: string, target: string): string | undefined {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.java'))
      .map((file) => join(folder, file)),
  )
  return run('javac', ['-d', target, '-cp', classPath, ...files])
}

/** Why Java peers cannot take part, as far as the machine is concerned. */
function missingTool(): string | undefined {
  const { stdout } = spawnSync('javac', ['-version'], { encoding: 'utf8' })
  const version = Number(/^javac (\d+)/.exec(stdout ?? '')?.[1] ?? 0)
  if (version < leastJava) return `needs a JDK of ${leastJava} or later`
  return spawnSync('mvn', ['-v']).status === 0 ? undefined : 'needs Maven (mvn)'
}

function run(command: string, args: readonly string[]): string | undefined {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: limitMs })
  if (error !== undefined) return error.message
  return status === 0
    ? undefined
    : (`${stdout}\n${stderr}`.split('\n').find((line) => /error/i.test(line)) ?? `exit ${status}`)
}
