/** The files of the page: its own, and those of the two libraries it is drawn with. Each has a name here; nothing else is served. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
/** What is not compiled stays where it is written. */
const sources = path.join(here, '../../../../src/cli/inspect/page')
const uplot = path.dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
const packaged = (name: string) => fileURLToPath(import.meta.resolve(name))

const modules = [
  'main',
  'ask',
  'chart',
  'history',
  'strip',
  'overview',
  'messages',
  'groups',
  'streams',
  'dead-letters',
  'verify',
  'parts',
  'visible',
]

const sheets = ['page', 'strip']

const types = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' } as const

interface Asset {
  file: string
  type: string
}

const assets: ReadonlyMap<string, Asset> = new Map([
  ...modules.map((name): [string, Asset] => [
    `/page/${name}.js`,
    { file: path.join(here, 'page', `${name}.js`), type: types.js },
  ]),
  // Where the modules of the page, two folders below it, look for it.
  ['/units.js', { file: path.join(here, '../units.js'), type: types.js }],
  ...sheets.map((name): [string, Asset] => [
    `/page/${name}.css`,
    { file: path.join(sources, `${name}.css`), type: types.css },
  ]),
  ['/lib/preact.js', { file: packaged('preact'), type: types.js }],
  ['/lib/preact-hooks.js', { file: packaged('preact/hooks'), type: types.js }],
  ['/lib/preact-jsx-runtime.js', { file: packaged('preact/jsx-runtime'), type: types.js }],
  ['/lib/uplot.js', { file: path.join(uplot, 'dist/uPlot.esm.js'), type: types.js }],
  ['/lib/uplot.css', { file: path.join(uplot, 'dist/uPlot.min.css'), type: types.css }],
])

/** What is served beside the page. */
export const assetPaths: readonly string[] = [...assets.keys()]

const importMap = {
  imports: {
    preact: '/lib/preact.js',
    'preact/hooks': '/lib/preact-hooks.js',
    'preact/jsx-runtime': '/lib/preact-jsx-runtime.js',
    uplot: '/lib/uplot.js',
  },
}

/** @returns undefined: there is no such file */
export async function assetAt(pathname: string): Promise<{ type: string; body: Buffer } | undefined> {
  const asset = assets.get(pathname)
  return asset && { type: asset.type, body: await readFile(asset.file) }
}

/** The page itself, and the policy it comes with: it runs our files, and nothing that stands in a message. */
export function documentWithPolicy(): { body: string; policy: string } {
  const nonce = randomBytes(16).toString('base64')
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Bookend</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/lib/uplot.css">
${sheets.map((name) => `<link rel="stylesheet" href="/page/${name}.css">`).join('\n')}
<script type="importmap" nonce="${nonce}">${JSON.stringify(importMap)}</script>
<script type="module" src="/page/main.js"></script>
</head>
<body><div id="page"><p class="quiet">Loading the log.</p></div><noscript>The inspector needs JavaScript.</noscript></body>
</html>
`
  return { body, policy }
}
