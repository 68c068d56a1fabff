/** Stores in Java: a JVM does a job's whole course (java/Course.java), since a pipe to it would be what is measured. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { classPathOf } from '../java-packages.js'
import type { Figures, Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { Unavailable } from './contender.js'

const mainClasses: Readonly<Record<string, string>> = {
  'chronicle-queue': 'ChronicleQueue',
  'rocketmq-store': 'RocketMqStore',
}

/** What Chronicle's documentation asks for on Java 17. */
const opened = [
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.lang.reflect',
  'java.base/java.util',
  'jdk.compiler/com.sun.tools.javac',
]
const exported = [
  'java.base/jdk.internal.ref',
  'java.base/sun.nio.ch',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.unsupported/sun.misc',
]
const heap = ['-Xms2g', '-Xmx2g', '-XX:+AlwaysPreTouch']
const mostOutputBytes = 64 * 1024 * 1024

export function measureJava(job: Job): Promise<Outcome> {
  const modules = [
    ...opened.flatMap((name) => ['--add-opens', `${name}=ALL-UNNAMED`]),
    ...exported.flatMap((name) => ['--add-exports', `${name}=ALL-UNNAMED`]),
  ]
  const flags = [...heap, '-Dchronicle.analytics.disable=true', ...modules]
  return runCourse(job, mainClasses[job.contender]!, classPathOf(job.packageDirectory), flags)
}

/** Runs a class that hands a store to `Course.main`. */
export async function runCourse(
  job: Job,
  mainClass: string,
  classPath: string,
  flags: readonly string[] = [],
): Promise<Outcome> {
  const words = Object.entries(job).map(([name, value]) => `${name}=${value}`)
  const { stdout } = await promisify(execFile)('java', [...flags, '-cp', classPath, mainClass, ...words], {
    maxBuffer: mostOutputBytes,
  }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`java: ${reasonIn(error.stderr ?? '') ?? error.message}`)
  })
  // Stores have their own words to say on standard output.
  const answer = stdout.trim().split('\n').at(-1) ?? ''
  const { unavailable, figures, latenciesUs } = JSON.parse(answer) as {
    unavailable?: string
    figures: Figures
    latenciesUs: number[]
  }
  if (unavailable !== undefined) throw new Unavailable(unavailable)
  if (latenciesUs.length === 0) return { figures }
  const latencies = new Latencies()
  for (const us of latenciesUs) latencies.record(us)
  return latencies.outcome(figures)
}

function reasonIn(output: string): string | undefined {
  return output.split('\n').find((line) => /exception|error/i.test(line))
}
