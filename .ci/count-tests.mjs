// Prints `N passed, N failed` out of vitest's JSON report. A test file that did not load, or whose process died, counts
// as one that failed; so does a run that left no report, or failed outside of any test.
import { existsSync, readFileSync } from 'node:fs'

const [path] = process.argv.slice(2)
const { passed, failed } = existsSync(path) ? count(JSON.parse(readFileSync(path, 'utf8'))) : { passed: 0, failed: 1 }
console.log(`${passed} passed, ${failed} failed`)

function count({ success, numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(({ status, assertionResults }) => {
    const has = (outcome) => assertionResults.some((test) => test.status === outcome)
    // Tests that a dead process left behind are pending, and vitest calls their file passed.
    return !has('failed') && (status === 'failed' || has('pending'))
  })
  const counted = numFailedTests + broken.length
  return { passed: numPassedTests, failed: counted === 0 && !success ? 1 : counted }
}
