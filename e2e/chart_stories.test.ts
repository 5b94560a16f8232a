// The stories of sign and deliver once more: the rights and flags that the chart renders, and the
// program that the image has.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { buildBundle } from './product/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundle-'))
after(() => rmSync(folder, { recursive: true }))
const { main } = await buildBundle(join(folder, 'build'))
process.env.INSTALL = 'chart'
process.env.CONTROLLER = main

await import('./sign.test.ts')
await import('./deliver.test.ts')
