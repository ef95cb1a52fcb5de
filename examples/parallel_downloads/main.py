"""Many downloads side by side, never more than a few at once, each recorded when it is done.

    python main.py [FILE.db]

The "site" is made up, so that the example needs no network. What was downloaded before a crash is not downloaded again.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from dataclasses import dataclass

import aion

AT_ONCE = 3


@dataclass
class Page:
    url: str
    size: int
    digest: str


@aion.activity(timeout="10s", retry=aion.Retry(max_attempts=3, initial="10ms"))
def download(url: str) -> Page:
    # What a workflow receives is kept in its history. So the body would go to a file or a bucket, and only what
    # describes it comes back.
    body = f"the page at {url}\n".encode() * (10 + len(url))
    if url.endswith("/news") and aion.activity_info().attempt == 1:
        raise ConnectionResetError("the first attempt at the news always fails")
    return Page(url, len(body), hashlib.sha256(body).hexdigest()[:12])


@aion.workflow
async def fetch_all(urls: list[str]) -> list[Page]:
    free = asyncio.Semaphore(AT_ONCE)

    async def fetch(url: str) -> Page:
        async with free:
            return await download(url)

    return await asyncio.gather(*(fetch(url) for url in urls))


async def main(path: str) -> None:
    names = ["start", "about", "news", "team", "jobs", "press", "contact", "imprint"]
    urls = [f"https://example.org/{name}" for name in names]
    async with aion.Engine(f"sqlite:///{path}", register=[fetch_all, download]) as engine:
        run = await engine.start(fetch_all(urls), id="all-pages", on_conflict="attach")
        pages = await run.result()
    for page in pages:
        print(f"{page.url:27} {page.size:4} bytes  {page.digest}")
    print(f"{len(pages)} pages, {sum(page.size for page in pages)} bytes")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "parallel_downloads.db"))
