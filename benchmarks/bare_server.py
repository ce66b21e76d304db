"""The smallest server the SDK allows: what every Python MCP server pays at least."""

from mcp.server import MCPServer

server: MCPServer[None] = MCPServer("bare")


@server.tool()
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


if __name__ == "__main__":
    server.run("stdio")
