// What happened between two answers of /v1/live: rates from counters, shares from amounts.

// null where there is no earlier answer; single values are null where nothing happened.
export function between(before, now) {
  if (!before || now.time_s <= before.time_s) return null;
  const seconds = now.time_s - before.time_s;
  const grown = (get) => Math.max(0, get(now) - get(before));
  const share = (part, all) => (all > 0 ? part / all : null);
  const pages = now.pages.total;
  return {
    time: now.time_s,
    generatedPerS: grown((a) => a.generated_tokens) / seconds,
    promptPerS: grown((a) => a.computed_prompt_tokens) / seconds,
    running: now.running,
    waiting: now.waiting,
    pagesUsed: share(pages - now.pages.free - now.pages.idle, pages),
    pagesIdle: share(now.pages.idle, pages),
    prefixFound: share(grown((a) => a.prefix.found_tokens), grown((a) => a.prefix.asked_tokens)),
    firstTokenS: share(grown((a) => a.first_token.sum_s), grown((a) => a.first_token.count)),
    tokensPerStep: share(grown((a) => a.generated_tokens) + grown((a) => a.computed_prompt_tokens), grown((a) => a.steps)),
  };
}
