import type { Finding, Result } from './finding.ts'

/** What was found of an issuer. */
export interface Report {
  /** As `ClusterIssuer/akv-issuer`. */
  readonly issuer: string
  readonly vaultUrl: string | undefined
  readonly parts: readonly Part[]
}

/** What was seen with one pair of eyes. */
export interface Part {
  /** Whose: what one may see another may not. */
  readonly seenBy: 'kubeconfig' | 'controller' | 'caller'
  /** Who that is, for people. */
  readonly heading: string
  readonly findings: readonly MendableFinding[]
  /** What these findings do not prove. */
  readonly note?: string
}

export interface MendableFinding extends Finding {
  /** For a shell, in order. */
  readonly commands: readonly string[]
}

/** The worst that was found; what was skipped is not bad. */
export function resultOf({ parts }: Report): 'ok' | 'warning' | 'failed' {
  const results = new Set(parts.flatMap(({ findings }) => findings.map(({ result }) => result)))
  if (results.has('failed')) return 'failed'
  return results.has('warning') ? 'warning' : 'ok'
}

/** For a pipeline: one object, its findings in a row. */
export function reportJson(report: Report): string {
  const { issuer, vaultUrl, parts } = report
  const findings = parts.flatMap(({ seenBy, findings: ofPart }) =>
    ofPart.map((finding) => ({ seenBy, ...finding })),
  )
  return `${JSON.stringify({ issuer, vaultUrl, result: resultOf(report), findings }, null, 2)}\n`
}

/** For a terminal of 100 columns. */
export function reportText(report: Report): string {
  const { issuer, vaultUrl, parts } = report
  const findings = parts.flatMap((part) => part.findings)
  const room = Math.max(...findings.map(({ probe }) => Math.min(probe.length, mostRoom)), 0)
  const blocks = [
    [printable(vaultUrl === undefined ? issuer : `${issuer} at ${vaultUrl}`)],
    ...parts.flatMap(({ heading, note, findings: ofPart }) => [
      [printable(heading), ...ofPart.flatMap((finding) => findingLines(finding, room))],
      ...(note === undefined ? [] : [wrapped(note, '  ', '  ')]),
    ]),
    [summary(findings)],
  ]
  return `${blocks.map((lines) => lines.join('\n').trimEnd()).join('\n\n')}\n`
}

const columns = 100
const mostRoom = 24

const marks: Readonly<Record<Result, string>> = {
  ok: 'ok      ',
  warning: 'warning ',
  failed: 'FAILED  ',
  skipped: 'skipped ',
}

function findingLines(finding: MendableFinding, room: number): readonly string[] {
  const { probe, result, code, message, commands } = finding
  const head = `  ${marks[result]} ${printable(probe).padEnd(room)}  `
  const told = result === 'failed' && code !== undefined ? `${code}: ${message}` : message
  const lines = wrapped(told, head, ' '.repeat(head.length))
  if (commands.length === 0) return lines
  const indented = commands.flatMap((command) =>
    command.split('\n').map((line) => `      ${printable(line)}`),
  )
  return [...lines, '', ...indented, '']
}

/** Words that are longer than a line stay whole, so that they can be copied. */
function wrapped(text: string, head: string, indent: string): readonly string[] {
  const lines: string[] = []
  let line = head
  let isEmpty = true
  for (const word of printable(text).split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}

function summary(findings: readonly Finding[]): string {
  const results: readonly Result[] = ['failed', 'warning', 'ok', 'skipped']
  const counts = results.flatMap((result) => {
    const count = findings.filter((finding) => finding.result === result).length
    return count === 0 ? [] : [`${count} ${result}`]
  })
  return counts.join(', ')
}

/** What others wrote must not steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}
