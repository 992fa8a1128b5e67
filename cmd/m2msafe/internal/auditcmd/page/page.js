const status = document.querySelector(".status");
for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const sql = button.nextElementSibling;
    let copied = true;
    try {
      await navigator.clipboard.writeText(sql.textContent);
    } catch {
      getSelection().selectAllChildren(sql);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Selected";
    status.textContent = copied ? "The SQL is copied." : "The SQL is selected.";
    setTimeout(() => { button.textContent = "Copy"; status.textContent = ""; }, 2000);
  });
}
