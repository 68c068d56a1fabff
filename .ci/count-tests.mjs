// Reads reports of json-report.mjs: `node .ci/count-tests.mjs STATUS FIRST SECOND`. STATUS is what the last run ended with; SECOND, if it is there, is
// of the files that failed in FIRST, run once more, and takes their place. Prints what failed, each case with the first lines of its error, and what
// passed only when it was repeated; as the last line `N passed, N failed`. What was skipped is named on standard error.
//
// `node .ci/count-tests.mjs --failed-files FIRST` prints the files to run once more: none where more failed than chance explains.
//
// A test file that did not load, or whose process died, counts as one case that failed; so does one in which errors came up that no test has caught,
// a run that left no report, or failed outside of any file.
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'

const mostRepeated = 5
const linesOfError = 12

const args = process.argv.slice(2)
if (args[0] === '--failed-files') {
  const files = failedFiles(read(args[1]))
  if (files.length <= mostRepeated) for (const file of files) console.log(file)
} else summarise(args[0], read(args[1]), read(args[2]))

/** What became of each file: how many cases passed, and those that failed, with their errors. Undefined: there is no report. */
function read(path) {
  if (!existsSync(path)) return undefined
  const { testResults, unhandledErrors = [] } = JSON.parse(readFileSync(path, 'utf8'))
  const files = new Map(testResults.map((result) => [nameOf(result.name), outcomeOf(result)]))
  for (const [file, { failed }] of files) {
    const unhandled = unhandledErrors.filter((each) => nameOf(each.file) === file)
    if (unhandled.length > 0)
      failed.push({ name: `(${unhandled.length} errors that no test has caught)`, error: unhandled[0].error })
  }
  return files
}

function nameOf(file) {
  return relative(process.cwd(), file ?? '')
}

function outcomeOf({ status, message, assertionResults }) {
  const of = (wanted) => assertionResults.filter((test) => test.status === wanted)
  const failed = of('failed').map(({ fullName, failureMessages }) => ({
    name: fullName,
    error: failureMessages.join('\n'),
  }))
  // Cases that a dead process left behind are pending, and vitest calls their file passed.
  const left = of('pending')
  if (failed.length === 0 && left.length > 0)
    failed.push({
      name: '(the file)',
      error: `its process died, and ${left.length} cases were not run: ${left[0].fullName}`,
    })
  if (failed.length === 0 && status === 'failed') failed.push({ name: '(the file)', error: message })
  return { passed: of('passed').length, failed, skipped: of('skipped').map(({ fullName }) => fullName.trim()) }
}

function failedFiles(report) {
  return [...(report ?? [])].filter(([, { failed }]) => failed.length > 0).map(([file]) => file)
}

function summarise(status, first, second) {
  const repeated = second ?? new Map()
  const last = new Map([...(first ?? []), ...repeated])
  for (const [file, { skipped }] of last) for (const name of skipped) console.error(`skipped: ${file}: ${name}`)
  const failed = casesOf(last)
  if (failed.length === 0 && status !== '0')
    failed.push({ name: 'the run', error: first === undefined ? 'it left no report' : 'it failed outside of any file' })
  const again = new Set(failed.map(({ name }) => name))
  const onlyRepeated = casesOf(first ?? []).filter(({ name, file }) => repeated.has(file) && !again.has(name))
  list('failed', failed)
  list(
    'PASSED ONLY WHEN REPEATED: each of these is a defect, of the product or of the test, and has to be found',
    onlyRepeated,
  )
  const passed = [...last.values()].reduce((sum, outcome) => sum + outcome.passed, 0)
  console.log(`${passed} passed, ${failed.length} failed`)
}

function casesOf(files) {
  return [...files].flatMap(([file, { failed }]) =>
    failed.map(({ name, error }) => ({ file, name: `${file} > ${name.trim()}`, error })),
  )
}

function list(heading, cases) {
  if (cases.length === 0) return
  console.log(`== ${heading}`)
  for (const { name, error } of cases) {
    const lines = error.trim().split('\n')
    const own = lines.filter((line) => !line.includes('/node_modules/'))
    console.log([name, ...own.slice(0, linesOfError).map((line) => `    ${line}`)].join('\n'))
  }
  console.log()
}
