import { textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import { startedLine } from './told.ts'

/** A line that Prometheus reads. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What the controller tells Prometheus of one metric at this moment. */
export async function samplesOf(
  controller: RunningProcess,
  metric: string,
): Promise<readonly Sample[]> {
  const answer = await fetch(`${textAt(startedLine(controller), 'listen')}/metrics`)
  const lines = (await answer.text()).split('\n')
  return lines.flatMap((line) => {
    const [, name, labels = '', value] = sample.exec(line) ?? []
    return name === metric ? [{ labels: labelsIn(labels), value: Number(value) }] : []
  })
}

/** The sum over the lines that have all of `labels`; 0 where there is none. */
export async function sumOf(
  controller: RunningProcess,
  metric: string,
  wanted: Readonly<Record<string, string>>,
): Promise<number> {
  const samples = await samplesOf(controller, metric)
  return samples
    .filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

const sample = /^(\w+)(?:\{(.*)\})? (\S+)$/

function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]))
}
