// Builds what the end-to-end tests need from Go modules: node e2e/harness/build_tools.ts
import { ensureTools } from './tools.ts'

try {
  await ensureTools()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
