// Prints `N passed, N failed` out of vitest's JSON report. A test file that did not load, or whose process died, counts
// as one that failed; so does a run that left no report, or failed outside of any test. What was skipped is named on standard error.
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'

const [path] = process.argv.slice(2)
const { passed, failed } = existsSync(path) ? count(JSON.parse(readFileSync(path, 'utf8'))) : { passed: 0, failed: 1 }
console.log(`${passed} passed, ${failed} failed`)

function count({ success, numPassedTests, numFailedTests, testResults }) {
  for (const { name, assertionResults } of testResults)
    for (const { status, fullName } of assertionResults)
      if (status === 'skipped') console.error(`skipped: ${relative(process.cwd(), name)}: ${fullName.trim()}`)
  const broken = testResults.filter(({ status, assertionResults }) => {
    const has = (outcome) => assertionResults.some((test) => test.status === outcome)
    // Tests that a dead process left behind are pending, and vitest calls their file passed.
    return !has('failed') && (status === 'failed' || has('pending'))
  })
  const counted = numFailedTests + broken.length
  return { passed: numPassedTests, failed: counted === 0 && !success ? 1 : counted }
}
