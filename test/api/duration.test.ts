import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeDuration, parseGoDuration } from '../../src/api/duration.ts'

test('durations are read as Go writes them', () => {
  for (const [text, ms] of [
    ['2160h0m0s', 7_776_000_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['250ms', 250],
    ['-1m', -60_000],
    ['0', 0],
  ] as const) {
    assert.equal(parseGoDuration(text), ms, text)
  }
  for (const text of ['', '5', '1d', 'h', '1h ', '1 h', '٣h', undefined]) {
    assert.equal(parseGoDuration(text), undefined, String(text))
  }
})

test('durations are told by their two largest units', () => {
  for (const [ms, text] of [
    [7_776_000_000, '90d'],
    [90_061_000, '1d1h'],
    [270_000, '4m30s'],
    [400, '0s'],
    [-3_600_000, '-1h'],
  ] as const) {
    assert.equal(describeDuration(ms), text)
  }
})
