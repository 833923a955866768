"""The two JSON-LD contexts of a crate, as far as its terms go, put where roc-validator looks when it is offline.

Run by the Python of the environment that roc-validator is installed in: `python crate_contexts.py CACHE`. Contexts are
facts about names (RO-Crate 1.1 and the workflow-run terms); one that is not here makes the validator refuse the crate.
"""

import json
import sys

SCHEMA = "http://schema.org/"
# The same word there and here.
PLAIN = """
about actionStatus additionalType affiliation agent alternateName author contentSize datePublished description
encodingFormat endTime exampleOfWork hasPart identifier instrument keywords license mainEntity mentions name object
position programmingLanguage propertyID result softwareRequirements softwareVersion startTime step unitCode url value
version workExample
ComputerLanguage ControlAction CreateAction CreativeWork Dataset HowTo HowToStep OrganizeAction Organization Person
PropertyValue SoftwareApplication SoftwareSourceCode
"""
WORKFLOW = "https://bioschemas.org/ComputationalWorkflow"
RUN = "https://w3id.org/ro/terms/workflow-run#"
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": {
        **{word: SCHEMA + word for word in PLAIN.split()},
        "File": f"{SCHEMA}MediaObject",
        "conformsTo": "http://purl.org/dc/terms/conformsTo",
        "ComputationalWorkflow": WORKFLOW,
        "FormalParameter": "https://bioschemas.org/FormalParameter",
        "input": f"{WORKFLOW}#input",
        "output": f"{WORKFLOW}#output",
    },
    "https://w3id.org/ro/terms/workflow-run/context": {
        word: RUN + word for word in ("md5", "sha256", "resourceUsage", "environment", "connection")
    },
}


def seed(cache: str) -> None:
    """Put the contexts into the validator's HTTP cache, as `rocrate-validator cache warm` does with a network."""
    from io import BytesIO

    from requests.adapters import HTTPAdapter
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    class Here(HTTPAdapter):
        """Answers from CONTEXTS."""

        def send(self, request, **_):
            body = json.dumps({"@context": CONTEXTS[request.url]}).encode()
            headers = {"Content-Type": "application/ld+json"}
            found = HTTPResponse(BytesIO(body), headers, status=200, preload_content=False, request_url=request.url)
            return self.build_response(request, found)

    with CachedSession(cache, backend="sqlite") as session:
        session.mount("https://w3id.org/", Here())
        for url in CONTEXTS:
            session.get(url)


if __name__ == "__main__":
    seed(sys.argv[1])
