import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesMatching, manifest, type SourceFile, sourceFiles } from './source-files.js'

/** Files that everybody may import, and that import nothing above them. */
const groundFiles = [
  'src/errors.ts',
  'src/limits.ts',
  'src/failures.ts',
  'src/abortable.ts',
  'src/tracing.ts',
  'src/retry-policy.ts',
  'src/pace.ts',
  'src/processor-end.ts',
]
/** Folders that everybody may import: the contract, which is types only, and plain collections. */
const groundRooms = ['engine', 'collections']
/** Bytes and shared memory: no room of these knows what a log is. */
const bytes = ['format', 'memory', 'ring']

/**
 * The permitted arrows: which rooms the files of a room may import, beside their own and the ground floor. Whatever is not in here is
 * a door that somebody wants to open: say why, or find another way.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  '.': ['log', 'log/finding', 'log/later', 'log/work', 'messages', 'storage/life'],
  observe: ['log'],
  http: ['http/subscriptions', 'http/threads', 'log', 'messages'],
  'http/subscriptions': ['http', 'log', 'messages'],
  'http/threads': ['http', 'log'],
  cli: [
    'cli/verbs',
    'local',
    'log',
    'log/finding',
    'messages',
    'threads',
    'storage/check',
    'storage/files',
    'format',
    'memory',
  ],
  'cli/inspect': ['cli', 'http', 'local', 'local/follower', 'log', 'messages', 'storage/files'],
  'cli/inspect/page': ['cli', 'cli/inspect'],
  'cli/serve': ['cli', 'http', 'http/threads', 'log', 'threads', 'memory'],
  'cli/verbs': [
    'cli',
    'cli/inspect',
    'cli/serve',
    'http',
    'local',
    'local/follower',
    'log',
    'storage/check',
    'storage/files',
    'format',
    'memory',
  ],
  log: ['local', 'local/attached', 'log/finding', 'log/job-ids', 'log/later', 'log/priorities', 'log/work', 'messages'],
  'log/priorities': ['log', 'log/later', 'log/work'],
  'log/finding': ['log', 'messages'],
  'log/job-ids': ['log', 'messages'],
  'log/later': ['log', 'later', 'messages'],
  'log/work': ['log', 'messages'],
  jetstream: [
    'jetstream/appends',
    'jetstream/groups',
    'jetstream/mirror',
    'jetstream/processing',
    'jetstream/reads',
    'jetstream/server',
    'jetstream/threads',
    'log',
    'messages',
  ],
  'jetstream/processing': [
    'jetstream/appends',
    'jetstream/groups',
    'jetstream/server',
    'jetstream/threads',
    'dispatcher',
    'dispatcher/processing',
    'dispatcher/reads',
    'threads/reader',
    'messages',
  ],
  'jetstream/threads': [
    'jetstream/reads',
    'jetstream/server',
    'dispatcher',
    'dispatcher/reads',
    'threads/reader',
    'messages',
  ],
  'jetstream/mirror': ['jetstream', 'jetstream/appends', 'jetstream/reads', 'jetstream/server', 'log', 'messages'],
  'jetstream/groups': ['jetstream/server', 'messages'],
  'jetstream/reads': ['jetstream/server', 'messages'],
  'jetstream/appends': ['jetstream/server'],
  'jetstream/server': ['messages'],
  'local/follower': ['threads', 'threads/follower', 'storage/files', 'storage/follow', ...bytes],
  'local/attached': [
    'local',
    'dispatcher',
    'dispatcher/appends',
    'dispatcher/groups',
    'dispatcher/reads',
    'threads',
    'threads/reader',
    'messages',
    'memory',
    'ring',
  ],
  local: [
    'later',
    'local/attached',
    'local/follower',
    'dispatcher',
    'dispatcher/appends',
    'dispatcher/groups',
    'dispatcher/processing',
    'dispatcher/reads',
    'threads',
    'threads/reader',
    'threads/reaper',
    'storage/check',
    'storage/files',
    'storage/life',
    'storage/packed',
    'storage/rows',
    'messages',
    ...bytes,
  ],
  'dispatcher/processing': ['dispatcher/groups', 'threads/reader', 'messages', 'ring'],
  'dispatcher/groups': ['dispatcher', 'dispatcher/reads', 'threads', 'threads/reader', 'messages', 'format', 'ring'],
  'dispatcher/appends': ['dispatcher', 'dispatcher/groups', 'messages', ...bytes],
  'dispatcher/reads': ['dispatcher', 'threads', 'threads/reader', 'storage/files', 'storage/hot', 'messages', ...bytes],
  dispatcher: ['storage/append', 'format', 'ring'],
  workers: [
    'cli/serve',
    'http',
    'local/attached',
    'log',
    'threads',
    'threads/follower',
    'threads/reader',
    'threads/reaper',
    'threads/writer',
    'jetstream/threads',
    'storage/append',
    'storage/check',
    'storage/files',
    'storage/follow',
    'storage/index',
    'storage/life',
    'storage/read',
    'storage/rows',
    ...bytes,
  ],
  later: ['messages', 'format'],
  'threads/writer': ['threads', 'storage/append', 'storage/files', 'storage/rows', ...bytes],
  'threads/reaper': [
    'threads',
    'threads/reader',
    'storage/append',
    'storage/compact',
    'storage/files',
    'storage/index',
    'storage/life',
    'storage/packed',
    'storage/rewrite',
    'storage/rows',
    'storage/side',
    ...bytes,
  ],
  'threads/follower': ['threads', 'threads/writer', 'storage/files', 'storage/follow', 'format', 'ring'],
  'threads/reader': [
    'threads',
    'storage/files',
    'storage/index',
    'storage/read',
    'storage/side',
    'messages',
    'memory',
    'ring',
  ],
  threads: ['threads/reader', 'storage/append', 'storage/files', 'storage/life', ...bytes],
  'storage/check': [
    'storage/life',
    'storage/append',
    'storage/side',
    'storage/index',
    'storage/files',
    'storage/packed',
    'format',
    'memory',
  ],
  'storage/compact': ['storage/side', 'storage/index', 'storage/files', 'format', 'memory'],
  'storage/rewrite': ['storage/index', 'storage/files', 'storage/packed', 'format', 'memory'],
  'storage/life': ['storage/append', 'storage/index', 'storage/files', 'storage/packed', 'format', 'memory'],
  'storage/follow': ['storage/life', 'storage/index', 'storage/files', 'format', 'memory'],
  'storage/append': ['storage/index', 'storage/files', 'storage/rows', 'format', 'memory'],
  'storage/hot': ['storage/read', 'storage/index', 'storage/files', 'format', 'memory'],
  'storage/read': ['storage/side', 'storage/index', 'storage/files', ...bytes],
  'storage/side': ['storage/index', 'storage/files', 'format'],
  'storage/index': ['storage/files', 'storage/rows', 'format', 'memory'],
  'storage/rows': ['format', 'ring'],
  'storage/files': ['storage/packed', 'format', 'memory', 'ring'],
  'storage/packed': ['format', 'memory'],
  engine: ['messages'],
  messages: ['format'],
  ring: ['format', 'memory'],
  format: [],
  memory: [],
  collections: [],
}
/** Started by the rooms of JetStream alone. */
const jetStreamThread = 'workers/jetstream.ts'
/** The rooms that may open files; `memory` also owns everything native, the inspector has the files of its page, `cli` asks what its input is. */
const fileRooms = ['local', 'memory', 'storage/files', 'storage/life', 'storage/check', 'cli', 'cli/inspect']
/** Which rooms may import which package: everything else goes through them. */
const packageRooms: Readonly<Record<string, readonly string[]>> = {
  '@nats-io/jetstream': ['jetstream/appends', 'jetstream/groups', 'jetstream/reads', 'jetstream/server'],
  '@nats-io/transport-node': [
    'jetstream',
    'jetstream/mirror',
    'jetstream/appends',
    'jetstream/groups',
    'jetstream/reads',
    'jetstream/server',
  ],
  koffi: ['memory'],
  'mmap-io': ['memory'],
  comlink: ['threads'],
  croner: ['later'],
  piscina: ['dispatcher/reads', 'cli', 'workers'],
  'prom-client': ['observe'],
  commander: ['cli', 'cli/verbs'],
  'cli-progress': ['cli', 'cli/verbs'],
  preact: ['cli/inspect/page'],
  uplot: ['cli/inspect/page'],
  '@bomb.sh/tab': ['cli'],
  picocolors: ['cli', 'cli/verbs'],
}

const library = sourceFiles('src', 'workers')
const everyImport = library.flatMap((file) => file.imports.map((found) => ({ from: file.path, ...found })))

describe('the rooms of src/', () => {
  it('all have a row in the table of arrows, and no row is without a room', () => {
    expect([...new Set(library.map(({ path }) => roomOf(path)))].sort()).toEqual(Object.keys(arrows).sort())
  })

  it('import only what the table permits', () => {
    const wrong = everyImport.filter(({ from, target, isRelative }) => isRelative && !mayImport(from, target))
    expect(wrong.map(arrow)).toEqual([])
  })

  it('have no arrow in the table that nothing needs', () => {
    const used = new Set(
      everyImport
        .filter(({ isRelative }) => isRelative)
        .map(({ from, target }) => `${roomOf(from)} -> ${roomOf(target)}`),
    )
    const idle = Object.entries(arrows).flatMap(([from, targets]) => targets.map((to) => `${from} -> ${to}`))
    expect(idle.filter((each) => !used.has(each))).toEqual([])
  })

  it('keep the contract to types', () => {
    const loaded = everyImport.filter(({ from, isType }) => roomOf(from) === 'engine' && !isType)
    expect(loaded.map(arrow)).toEqual([])
  })

  it('have no two files that need each other to load', () => {
    expect(cyclesOf(library)).toEqual([])
  })

  it('import only files that exist', () => {
    const paths = new Set(library.map(({ path }) => path))
    expect(everyImport.filter(({ target, isRelative }) => isRelative && !paths.has(target)).map(arrow)).toEqual([])
  })
})

describe('what the library needs from outside', () => {
  it('is a dependency of the published package', () => {
    const { dependencies, optionalDependencies, peerDependencies } = manifest()
    const published = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    const foreign = everyImport.filter(({ target, isRelative }) => !isRelative && !isBuiltin(target))
    expect(foreign.filter(({ target }) => !published.has(packageOf(target))).map(arrow)).toEqual([])
  })

  it('is imported by the room that wraps it and no other', () => {
    const wrong = everyImport.filter(({ from, target, isRelative }) => {
      const rooms = isRelative ? undefined : packageRooms[packageOf(target)]
      return rooms !== undefined && !rooms.includes(roomOf(from))
    })
    expect(wrong.map(arrow)).toEqual([])
  })

  it('opens files in storage, memory and local only', () => {
    const wrong = everyImport.filter(
      ({ from, target }) => /^node:fs(\/|$)/.test(target) && !fileRooms.includes(roomOf(from)),
    )
    expect(wrong.map(arrow)).toEqual([])
  })

  it('is not asked of an application that does without: nobody imports the rooms of an optional peer', () => {
    const outside = everyImport.filter(
      ({ from, target, isRelative }) =>
        isRelative &&
        roomOf(target).startsWith('jetstream') &&
        !roomOf(from).startsWith('jetstream') &&
        from !== jetStreamThread,
    )
    expect(outside.map(arrow)).toEqual([])
  })

  it('is named with node: where it belongs to Node', () => {
    const wrong = everyImport.filter(({ target }) => isBuiltin(target) && !target.startsWith('node:'))
    expect(wrong.map(arrow)).toEqual([])
  })
})

describe('the library', () => {
  it('starts no thread without saying what it inherits', () => {
    const started = library.filter(({ code }) => /new (Worker|Piscina)\b/.test(code))
    expect(started.map(({ path }) => path)).not.toEqual([])
    expect(started.filter(({ code }) => !code.includes('...inheritedFlags(),')).map(({ path }) => path)).toEqual([])
  })

  it('never handles a fault: the handler would not run and the process would spin', () => {
    expect(linesMatching(library, /['"`]SIG(BUS|SEGV|FPE|ILL)['"`]/)).toEqual([])
  })

  it('touches shared words in ring/ only, by the names of its accessors', () => {
    const others = library.filter(({ path }) => roomOf(path) !== 'ring')
    expect(linesMatching(others, /\bAtomics\.(?!pause\b)\w+\(/)).toEqual([])
  })

  it('has numeric byte offsets in format/ only', () => {
    const others = library.filter(({ path }) => roomOf(path) !== 'format')
    const dataView = /\.[gs]et(?:Big)?(?:Int|Uint|Float)\d+\(\s*\d/
    const buffer = /\.(?:read(?:Big)?U?Int\d*[BL]E\(|write(?:Big)?U?Int\d*[BL]E\([^()]*,)\s*\d/
    expect(linesMatching(others, dataView)).toEqual([])
    expect(linesMatching(others, buffer)).toEqual([])
  })
})

describe('examples and benchmark', () => {
  it('use the library by its name, as an application does', () => {
    const wrong = sourceFiles('examples', 'bench/cases', 'bench/contenders').flatMap(({ path, imports }) =>
      imports.filter(({ target }) => /^(src|workers|dist)\//.test(target)).map((found) => ({ from: path, ...found })),
    )
    expect(wrong.map(arrow)).toEqual([])
  })
})

/** The folder below src/, `.` for src/ itself, or `workers`. */
function roomOf(path: string): string {
  const folder = posix.dirname(path)
  return folder === 'src' ? '.' : folder.replace(/^src\//, '')
}

function mayImport(from: string, target: string): boolean {
  const room = roomOf(target)
  if (groundFiles.includes(target) || groundRooms.includes(room)) return true
  if (groundFiles.includes(from) || room === '.') return false
  return room === roomOf(from) || (arrows[roomOf(from)] ?? []).includes(room)
}

/** Every cycle of imports that are still there at run time, each once, as a chain of paths. */
function cyclesOf(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.filter(({ isType, isRelative }) => isRelative && !isType).map(({ target }) => target),
    ]),
  )
  const done = new Set<string>()
  const chain: string[] = []
  const cycles: string[] = []
  const visit = (path: string): void => {
    const start = chain.indexOf(path)
    if (start >= 0) cycles.push([...chain.slice(start), path].join(' -> '))
    if (start >= 0 || done.has(path)) return
    chain.push(path)
    for (const next of graph.get(path) ?? []) visit(next)
    chain.pop()
    done.add(path)
  }
  for (const path of graph.keys()) visit(path)
  return cycles
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function arrow({ from, target }: { from: string; target: string }): string {
  return `${from} -> ${target}`
}
