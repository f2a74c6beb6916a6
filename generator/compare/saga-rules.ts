/** The rules about sagas that run. A change that breaks one can be allowed for one run of `scaffold breaking`. */
export const sagaRules = ["SAGA_NO_DELETE", "SAGA_SAME_STEPS", "SAGA_SAME_CALL", "SAGA_SAME_COMPENSATION"] as const;
export type SagaRule = (typeof sagaRules)[number];

export function isSagaRule(rule: string): rule is SagaRule {
  return (sagaRules as readonly string[]).includes(rule);
}
