/** Modules that tests have loaded: plain JavaScript, which is not compiled with the tests that the fault laboratory runs from dist/. */
const folder = import.meta.url.includes('/dist/test/') ? '../../../test/fixtures/' : '../fixtures/'

export function fixtureUrl(name: string): string {
  return new URL(folder + name, import.meta.url).href
}
