"""A todo list to try a tunnel with: a small JSON API, its documentation at /docs, and a page at /.

Run it:  uvicorn app:app --port 3000     (or: /usr/bin/python3 app.py 3000)
"""

import itertools
import sys
from pathlib import Path
from typing import Dict, List

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

HERE = Path(__file__).resolve().parent

TITLES = [
    "Start the gateway",
    "Start this todo list",
    "Open a tunnel to it",
    "Open the public URL in a browser",
    "Send the URL to a colleague",
    "Try it from a phone",
    "Tunnel something of your own",
]


class NewTodo(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    completed: bool = False


class Todo(NewTodo):
    id: int


app = FastAPI(title="Todo list", version="1.0.0", docs_url=None, redoc_url=None)
numbers = itertools.count(1)
todos: Dict[int, Todo] = {}


def add(new: NewTodo) -> Todo:
    todo = Todo(id=next(numbers), title=new.title, completed=new.completed)
    todos[todo.id] = todo
    return todo


for number, title in enumerate(TITLES):
    add(NewTodo(title=title, completed=number < 3))


def find(todo_id: int) -> Todo:
    if todo_id not in todos:
        raise HTTPException(status_code=404, detail=f"There is no todo {todo_id}")
    return todos[todo_id]


@app.get("/todos", response_model=List[Todo])
def list_todos():
    """All todos, oldest first."""
    return list(todos.values())


@app.post("/todos", response_model=Todo, status_code=201)
def create_todo(new: NewTodo):
    """Adds a todo."""
    return add(new)


@app.get("/todos/{todo_id}", response_model=Todo)
def get_todo(todo_id: int):
    """One todo."""
    return find(todo_id)


@app.put("/todos/{todo_id}", response_model=Todo)
def change_todo(todo_id: int, new: NewTodo):
    """Replaces title and state of a todo."""
    find(todo_id)
    todos[todo_id] = Todo(id=todo_id, title=new.title, completed=new.completed)
    return todos[todo_id]


@app.delete("/todos/{todo_id}", status_code=204, response_class=Response)
def delete_todo(todo_id: int):
    """Removes a todo."""
    find(todo_id)
    del todos[todo_id]
    return Response(status_code=204)


@app.delete("/todos", status_code=204, response_class=Response)
def delete_completed():
    """Removes all completed todos."""
    for todo in [t for t in todos.values() if t.completed]:
        del todos[todo.id]
    return Response(status_code=204)


@app.get("/", include_in_schema=False)
def page():
    return FileResponse(HERE / "index.html", media_type="text/html")


@app.get("/docs", include_in_schema=False)
def docs():
    return FileResponse(HERE / "docs.html", media_type="text/html")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 3000, log_level="warning")
